"""lazy/cnn: the published update in w, order and rows, the lazy limit, the measures, CIFAR-10 in its true format."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import Context, stream
from resodectl.families.lazy.cnn import analysis, spec
from resodectl.families.lazy.scaled_training import Scaled, State, Trainer, network_of
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.kernels.empirical import kernel
from resodectl.numerics.kernels.linearised import linearised
from resodectl.numerics.networks.rectified import xavier
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from resodectl.training.images import train_and_test_images
from resodectl.training.scalings import STANDARDISED
from tests.simulated import simulated
from tests.true_format import write_cifar10

VALUES = {
    "data": "digits",
    "images": 40,
    "network": {"kind": "plain", "groups": ((4,), (3,))},
    "gain": 1.4,
    "loss": "mse",
    "lr": 0.1,
    "lr_halved_at": 2.0,
    "batch": 16,
    "augment": False,
    "alphas": (1.0, 100.0),
    "epochs": (1, 3),
    "probed": 20,
}


def logged(seeds: tuple[int, ...] = (0, 1), **changes: object) -> pd.DataFrame:
    return simulated("lazy/cnn", spec.Point(**(VALUES | changes), dtype="float64"), seeds)["networks"]


def by_weights(seed: int, alpha: float, loss: str, *, centred: bool = True) -> tuple[float, float]:
    """Movement and test accuracy after three epochs by torch's SGD on w: R(alpha (h(w) - h(w0))) / alpha^2."""
    train, test = train_and_test_images("digits", None, TensorPlace(), STANDARDISED["digits"], 40, random=True)
    network = network_of(spec.Point(**VALUES, dtype="float64").network, "digits")
    start = xavier(network, lambda name: [stream(seed, name)], 1.4)
    weights = start.clone().requires_grad_()

    def outputs(images: torch.Tensor) -> torch.Tensor:
        begun = network.outputs(start, images)[0] if centred else 0.0
        return alpha * (network.outputs(weights, images)[0] - begun)

    optimiser = torch.optim.SGD([weights], lr=1.0, momentum=0.9)
    for epoch in range(3):
        optimiser.param_groups[0]["lr"] = 0.1 / (1 + epoch / 2)
        for chosen in torch.from_numpy(stream(seed, "order", epoch).permutation(40)).split(16):
            found = outputs(train.inputs[chosen])
            if loss == "mse":
                value = torch.nn.functional.mse_loss(found, train.one_hot()[chosen])
            else:
                value = torch.nn.functional.cross_entropy(found, train.classes[chosen])
            optimiser.zero_grad()
            (value / alpha**2).backward()
            optimiser.step()
    accuracy = (outputs(test.inputs).argmax(1) == test.classes).double().mean().item()
    return alpha * (weights - start).norm().item(), accuracy


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_descent_in_the_increment_is_the_published_descent_in_the_weights(loss: str) -> None:
    rows = logged((3, 4), loss=loss)
    for seed, alpha in ((3, 1.0), (4, 100.0)):
        row = rows[(rows["seed"] == seed) & (rows["alpha"] == alpha) & (rows["epoch"] == 3)].iloc[0]
        movement, accuracy = by_weights(seed, alpha, loss)
        assert row["movement"] == pytest.approx(movement, rel=1e-9)
        assert row["test_accuracy"] == pytest.approx(accuracy)


def test_without_centring_the_outputs_of_the_start_stay_in() -> None:
    row = logged((3,), centred=False, alphas=(100.0,))
    movement, accuracy = by_weights(3, 100.0, "mse", centred=False)
    assert row["movement"].iloc[-1] == pytest.approx(movement, rel=1e-9)
    assert row["test_accuracy"].iloc[-1] == pytest.approx(accuracy)


def test_at_a_huge_alpha_full_batches_descend_as_regression_in_the_tangent_kernel() -> None:
    """Without momentum: (I - (I - 2 lr K / (10 n))^steps) y on the training images, whatever the network."""
    point = spec.Point(**(VALUES | {"momentum": 0.0, "batch": 40, "lr_halved_at": 1e12}), dtype="float64")
    context = Context((0,), torch.device("cpu"), torch.float64)
    train, _ = train_and_test_images("digits", None, TensorPlace(), STANDARDISED["digits"], 40, random=True)
    of = Scaled.draw(network_of(point.network, "digits"), 1.4, (1e8,), True, "mse", context)
    state, steps = State.start(of.start), 10
    trainer = Trainer(of, point, 0.1, train, context)
    for epoch in range(steps):
        trainer.epoch(state, epoch)
    gram = kernel(lambda w, x: of.network.outputs(w.unsqueeze(0), x)[0], of.start[0], train.inputs)
    values, vectors = torch.linalg.eigh(gram)
    kept = 1 - (1 - 2 * 0.1 * values / 400) ** steps
    expected = vectors @ (kept * (vectors.T @ train.one_hot().flatten()))
    found = linearised(lambda w: of.network.outputs(w, train.inputs), of.start, state.increment).flatten()
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_runs_of_a_seed_do_not_depend_on_the_others() -> None:
    both, alone = logged((0, 1)), logged((1,), alphas=(100.0,))
    rows = both[(both["seed"] == 1) & (both["alpha"] == 100.0)]
    assert rows["epoch"].tolist() == [1, 3]
    for column in ("movement", "stability", "linearised_gap", "frozen_gap", "test_accuracy"):
        assert rows[column].to_numpy() == pytest.approx(alone[column].to_numpy(), rel=1e-6)


def test_at_a_huge_alpha_the_network_and_its_frozen_gates_are_the_linearised_model_and_at_one_neither_is() -> None:
    rows = logged((0,), alphas=(1.0, 1e7)).set_index(["alpha", "epoch"])
    for column in ("linearised_gap", "frozen_gap"):
        assert rows.loc[(1e7, 3), column] < 1e-5
        assert rows.loc[(1.0, 3), column] > 1e-2


def test_a_training_that_diverges_is_flagged() -> None:
    rows = logged((0,), lr=1e200)
    assert rows["diverged"].iloc[-1]
    assert math.isnan(rows["stability"].iloc[-1])


def test_what_cannot_be_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValidationError, match="float32 has no digits left"):
        spec.Point(**(VALUES | {"alphas": (1.0, 1e4)}), dtype="float32")
    with pytest.raises(ValidationError, match="in rising order"):
        spec.Point(**(VALUES | {"epochs": (3, 1)}), dtype="float64")


def rows_of(values: dict[float, float], column: str) -> pd.DataFrame:
    """Two records for two seeds: zero at first, then `values` by alpha, shifted up and down by 1 % of them."""
    return pd.DataFrame(
        [
            {"seed": seed, "alpha": alpha, "epoch": epoch, column: epoch / 9 * value * (1 + 0.001 * (-1) ** seed)}
            for seed in (0, 1)
            for alpha, value in values.items()
            for epoch in (0, 9)
        ]
    )


@pytest.mark.parametrize(("lost", "judgement"), [(0.04, "holds"), (0.0, "fails"), (math.nan, "unclear")])
def test_the_accuracy_lost_is_that_of_the_smallest_alpha_minus_that_of_the_largest(lost: float, judgement: str) -> None:
    rows = rows_of({1.0: 0.9, 10.0: 0.1, 1e4: 0.9 - lost}, "test_accuracy")
    assert judge(analysis.measure_accuracy_lost(rows), Band(low=0.02, high=0.06)) == judgement
    if judgement == "holds":
        assert analysis.measure_accuracy_lost(rows).value == pytest.approx(0.04)
        assert analysis.measure_accuracy_range(rows).value == pytest.approx(0.8)


def test_values_of_one_alpha_are_averaged_and_several_alphas_have_none() -> None:
    for column, measure in (
        ("test_accuracy", analysis.measure_accuracy),
        ("stability", analysis.measure_stability),
        ("movement", analysis.measure_movement),
        ("linearised_gap", analysis.measure_linearised_gap),
    ):
        assert measure(rows_of({1.0: 0.5}, column)).value == pytest.approx(0.5)
        assert math.isnan(measure(rows_of({1.0: 0.5, 10.0: 0.5}, column)).value)


def test_movements_are_compared_with_their_mean_and_gaps_by_their_slope() -> None:
    assert analysis.measure_least_stability(rows_of({1e4: 0.5, 1e7: 0.9}, "stability")).value == pytest.approx(0.5)
    assert analysis.measure_movement_range(rows_of({10.0: 1.0, 1e4: 1.5}, "movement")).value == pytest.approx(0.4)
    assert analysis.measure_frozen_slope(rows_of({10.0: 1.0, 1e3: 0.01}, "frozen_gap")).value == pytest.approx(-1)
    assert analysis.measure_frozen_slope(rows_of({10.0: 1.0, 1e3: 1.0}, "frozen_gap")).value == pytest.approx(0)


def test_the_figure_shows_accuracies_stability_and_distances() -> None:
    recipe = load.load(shipped()["lazy/chizat2019-cnn"])
    figure = analysis.draw_alphas({"networks": logged()}, recipe)
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "accuracy (%)", "ReLUs as at the start (%)", "relative distance from $J u$",
    ]  # fmt: skip
    assert np.isfinite(figure.axes[2].lines[0].get_ydata()).all()


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")),
    ],
)
def test_the_paper_s_network_takes_two_steps_on_cifar_in_its_true_format(device: str, shell, tmp_path: Path) -> None:
    write_cifar10(tmp_path, "py")
    sets = [
        part
        for value in ("alphas=[1.0, 1e7]", "epochs=[2]", "images=3", "batch=3", "probed=1")
        for part in ("--set", value)
    ]
    where = ("--data-root", tmp_path, "--device", device, "--seeds", "1", "-j", "1")
    ended = shell("run", "lazy/chizat2019-cnn", "--profile", "paper", *where, *sets)
    assert ended.code == 0, ended.err
    rows = pd.read_parquet(next(tmp_path.glob("runs/*/*/*/log*.parquet"))).set_index("alpha")
    assert (rows["epoch"] == 2).all()
    assert not rows["diverged"].any()
    assert rows.loc[1e7, "stability"] == pytest.approx(1.0, abs=1e-4)
    assert rows.loc[1.0, "stability"] < rows.loc[1e7, "stability"]
    assert rows.loc[1e7, "linearised_gap"] < 1e-3
