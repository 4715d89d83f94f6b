"""scaling/trained-map and scaling/trained-weights: trainings against torch.optim, the measures on known logs."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.selecting import select
from resodectl.claims.verdict import judge, judge_control
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context, stream
from resodectl.families.scaling.grids import Grid
from resodectl.families.scaling.trained_map import analysis as map_analysis
from resodectl.families.scaling.trained_map import spec as map_spec
from resodectl.families.scaling.trained_map.simulation import simulate as simulate_map
from resodectl.families.scaling.trained_weights import analysis as weights_analysis
from resodectl.families.scaling.trained_weights import spec as weights_spec
from resodectl.families.scaling.trained_weights.simulation import simulate as simulate_weights
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.weights.processes import entries
from resodectl.numerics.weights.statistics import roughness
from resodectl.recipe import load
from resodectl.training.images import train_and_test_images
from resodectl.training.residual_classifiers import stem_and_head
from resodectl.training.scalings import unscaled
from resodectl.training.settings import TRAINED_ON, AdamTraining
from tests.resuming import Memory, check_resuming
from tests.simulated import simulated

MAP, WEIGHTS = "scaling/marion2022-trained-map", "scaling/marion2022-trained-weights"
DEPTH, DIM, BATCH, EPOCHS, DROP_EVERY, DROP = 6, 5, 400, 3, 2, 0.1
TRAINING = AdamTraining(epochs=EPOCHS, batch=BATCH, drop_every=DROP_EVERY, drop=DROP)
SMALL = {"data": "digits", "depth": DEPTH, "dim": DIM, "training": TRAINING, "dtype": "float64"}
GRIDS = {"hursts": Grid(first=0.3, last=0.8, count=2), "betas": Grid(first=0.2, last=0.7, count=2), "lrs": (1e-2, 3e-3)}
NETWORKS = tuple(weights_spec.Network(weights=w, beta=b) for w, b in (("rbf", 1.0), ("uniform", 0.5)))


def mapped(seeds: tuple[int, ...] = (7, 8), **changes) -> pd.DataFrame:
    return simulated("scaling/trained-map", map_spec.Point(**(SMALL | GRIDS | changes)), seeds)["accuracies"]


def followed(seeds: tuple[int, ...] = (7, 8), **changes) -> dict[str, pd.DataFrame]:
    point = weights_spec.Point(**(SMALL | {"networks": NETWORKS, "lr": 1e-2} | changes))
    return simulated("scaling/trained-weights", point, seeds)


def plain_training(
    seed: int, law: str, hurst: float, beta: float, lr: float, biases: bool
) -> tuple[list[float], float, np.ndarray]:
    """Losses of the epochs, test accuracy and trained layers of one network, by torch.nn and torch.optim.Adam."""
    train, test = (part.flat() for part in train_and_test_images("digits", None, TensorPlace(), unscaled))

    def uniform(label: str, rows: int, columns: int) -> torch.Tensor:
        return torch.from_numpy(
            (2 * stream(seed, "weights", label).random((rows, columns)) - 1) * math.sqrt(3 / columns)
        )

    drawn = entries(law, [stream(seed, "weights", "layers")], DEPTH, (DIM, DIM), hurst)[:, 0] / math.sqrt(DIM)
    stem, head = torch.nn.Linear(64, DIM, bias=False), torch.nn.Linear(DIM, 10, bias=False)
    layers = torch.nn.ModuleList([torch.nn.Linear(DIM, DIM, bias=biases) for _ in range(DEPTH)])
    network = torch.nn.ModuleList([stem, layers, head]).double()
    with torch.no_grad():
        stem.weight.copy_(uniform("stem", DIM, 64)), head.weight.copy_(uniform("head", 10, DIM))
        for layer, weight in zip(layers, drawn, strict=True):
            layer.weight.copy_(weight)
            if biases:
                layer.bias.zero_()

    def logits(x: torch.Tensor) -> torch.Tensor:
        h = stem(x)
        for layer in layers:
            h = h + DEPTH**-beta * layer(torch.relu(h))
        return head(h)

    optimiser = torch.optim.Adam(network.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, DROP_EVERY, DROP)
    losses = []
    for epoch in range(EPOCHS):
        order, of_epoch = torch.from_numpy(stream(seed, "order", epoch).permutation(TRAINED_ON["digits"])), []
        for chosen in order.split(BATCH):
            loss = torch.nn.functional.cross_entropy(logits(train.inputs[chosen]), train.classes[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            of_epoch.append(loss.item())
        schedule.step()
        losses.append(float(np.mean(of_epoch)))
    accuracy = (logits(test.inputs).argmax(1) == test.classes).double().mean().item()
    return losses, accuracy, torch.stack([layer.weight.detach() for layer in layers]).numpy()


def test_the_whole_map_at_once_is_a_plain_training_at_each_place() -> None:
    rows = mapped()
    assert len(rows) == 16
    for _, row in rows.iterrows():
        losses, accuracy, _ = plain_training(int(row["seed"]), "fbm", row["hurst"], row["beta"], row["lr"], biases=True)
        assert row["train_loss"] == pytest.approx(losses[-1], rel=1e-9)
        assert row["accuracy"] == pytest.approx(accuracy, abs=1e-12)
        assert not row["diverged"]


def test_networks_side_by_side_are_plain_trainings_in_every_epoch_and_layer() -> None:
    found = followed()
    for seed in (7, 8):
        for law, beta in (("rbf", 1.0), ("uniform", 0.5)):
            losses, accuracy, layers = plain_training(seed, law, 0.5, beta, 1e-2, biases=False)
            own = select(found["training"], {"seed": seed, "weights": law})
            assert own["train_loss"].tolist()[1:] == pytest.approx(losses, rel=1e-9)
            assert own["accuracy"].iloc[-1] == pytest.approx(accuracy, abs=1e-12)
            rough = np.square(np.diff(layers, axis=0)).sum((1, 2)).mean() / np.square(layers).sum((1, 2)).mean() / 2
            assert own["roughness"].iloc[-1] == pytest.approx(rough, rel=1e-9)
            i, j = stream(seed, "entry").integers(0, DIM, 2)
            path = select(found["paths"], {"seed": seed, "weights": law})
            np.testing.assert_allclose(path["after"], layers[:, i, j], rtol=1e-9)
            before = entries(law, [stream(seed, "weights", "layers")], DEPTH, (DIM, DIM))[:, 0, i, j] / math.sqrt(DIM)
            np.testing.assert_allclose(path["before"], before, rtol=1e-12)


def test_trainings_go_on_from_a_checkpoint() -> None:
    def of_map(memory: Memory) -> object:
        cell = Cell("scaling/trained-map", map_spec.Point(**(SMALL | GRIDS)), (7,))
        return simulate_map(cell, Context((7,), torch.device("cpu"), torch.float64, checkpoint=memory))

    def of_weights(memory: Memory) -> object:
        cell = Cell("scaling/trained-weights", weights_spec.Point(**SMALL, networks=NETWORKS, lr=1e-2), (7, 8))
        return simulate_weights(cell, Context((7, 8), torch.device("cpu"), torch.float64, checkpoint=memory))

    check_resuming(of_map, saves=EPOCHS)
    check_resuming(of_weights, saves=EPOCHS)


def test_rows_name_their_network_epoch_and_layer() -> None:
    found = followed()
    networks = [(seed, law, beta) for seed in (7, 8) for law, beta in (("rbf", 1.0), ("uniform", 0.5))]
    training, paths = found["training"], found["paths"]
    names = ["seed", "weights", "beta"]
    assert list(training[names].itertuples(index=False, name=None)) == networks * (EPOCHS + 1)
    assert training["epoch"].tolist() == [epoch for epoch in range(EPOCHS + 1) for _ in networks]
    assert training["train_loss"].isna().tolist() == [True] * 4 + [False] * 4 * EPOCHS
    assert not training["diverged"].any()
    expected = [(*network, layer) for network in networks for layer in range(DEPTH)]
    assert list(paths[[*names, "layer"]].itertuples(index=False, name=None)) == expected
    assert training["accuracy"].min() > 0.05  # before the first step, too, one answer in ten is right
    assert training["accuracy"].max() < 1


def test_one_entry_that_is_not_finite_is_a_divergence() -> None:
    training = followed(seeds=(7,), lr=1e30, dtype="float32")["training"]
    assert training[training["epoch"] == 0]["diverged"].tolist() == [False, False]
    assert training[training["epoch"] == EPOCHS]["diverged"].tolist() == [True, True]


def test_the_networks_of_a_seed_share_a_stem_and_a_head_of_variance_one_over_the_fan_in() -> None:
    stem, head = stem_and_head(Context((7, 8), torch.device("cpu"), torch.float64), 30, 64, 3)
    assert (stem.shape, head.shape) == ((6, 30, 64), (6, 10, 30))
    for tensor, fan_in in ((stem, 64), (head, 30)):
        assert torch.equal(tensor[0], tensor[2])
        assert not torch.equal(tensor[2], tensor[3])
        assert torch.equal(tensor[3], tensor[5])
        assert 0.99 * math.sqrt(3 / fan_in) < tensor.abs().max() <= math.sqrt(3 / fan_in)


def test_a_seed_is_trained_the_same_in_every_block() -> None:
    alone, together = mapped(seeds=(8,)), mapped(seeds=(7, 8))
    pd.testing.assert_frame_equal(alone, select(together, {"seed": 8}).reset_index(drop=True), rtol=1e-9)


def test_divergence_is_a_flag_and_leaves_the_neighbours_alone() -> None:
    rows = mapped(seeds=(7,), dtype="float32", lrs=(1e-2, 1e30))
    lost = rows["lr"] == 1e30
    assert rows.loc[lost, "diverged"].all()
    assert (rows.loc[lost, "accuracy"] == 0).all()
    kept = mapped(seeds=(7,), dtype="float32", lrs=(1e-2,))
    assert rows.loc[~lost, "train_loss"].tolist() == pytest.approx(kept["train_loss"].tolist(), rel=1e-5)
    assert not rows.loc[~lost, "diverged"].any()


def test_trainings_and_networks_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        mapped(lrs=(0.0,))
    with pytest.raises(ValidationError, match="between 0 and 1"):
        mapped(hursts=Grid(first=0.5, last=1.5, count=2))
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        followed(depth=1)


def test_networks_and_rates_that_the_log_cannot_tell_apart_are_refused() -> None:
    for changes in ({"lrs": (1e-2, 1e-2)}, {"data": ("digits", "digits")}):
        params = {name: value for name, value in (SMALL | GRIDS).items() if name != "data"}
        with pytest.raises(ValidationError, match="give each value once"):
            map_spec.Params(**({"data": ("digits",), "seeds": 1} | params | changes))
    with pytest.raises(ValidationError, match="give each value once"):
        followed(networks=NETWORKS[:1] * 2)


def test_accuracy_is_lost_along_the_hurst_index_from_its_first_to_its_last() -> None:
    rows = accuracies(0.2, 0.4, 0.9)
    found = map_analysis.measure_loss_along_hurst(select(rows, {"beta": 0.3}))
    assert found.value == pytest.approx(0.93 - 0.4)
    assert math.isnan(map_analysis.measure_loss_along_hurst(select(rows, {"beta": 0.3, "hurst": 0.1})).value)


def test_roughness_is_one_for_independent_layers_zero_for_equal_and_two_for_alternating_ones() -> None:
    drawn = torch.randn((4000, 1, 3, 3), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    equal = drawn[:1].expand(50, 1, 3, 3)
    signs = 1.0 - 2.0 * (torch.arange(50) % 2)
    alternating = equal * signs.view(-1, 1, 1, 1)
    assert roughness(drawn).item() == pytest.approx(1, abs=0.03)
    assert (roughness(equal).item(), roughness(alternating).item()) == pytest.approx((0, 2))
    assert roughness(1e3 * drawn).item() == pytest.approx(roughness(drawn).item(), rel=1e-12)


def test_smooth_layers_start_as_rough_as_their_kernel_says() -> None:
    start = select(followed(tuple(range(12)), depth=50)["training"], {"epoch": 0, "weights": "rbf"})
    expected = -math.expm1(-((1 / 50 / 0.1) ** 2) / 2)
    spread = start["roughness"].std() / math.sqrt(len(start))
    assert abs(start["roughness"].mean() - expected) < 4 * spread
    assert spread < 0.05 * expected


def trained_weights(rbf: float, iid: float, half: float, accuracy: float) -> pd.DataFrame:
    """A log of ten epochs, four seeds and the recipe's networks, from guessing at the start to the given ends."""
    start = {"rbf": 0.005, "uniform": 1.0}
    rows = [
        (
            weights,
            beta,
            seed,
            epoch,
            (end if epoch else start[weights]) * (1 + 0.01 * seed),
            accuracy - 0.002 * seed if epoch else 0.1,
        )
        for weights, beta, end in (("rbf", 1.0, rbf), ("uniform", 1.0, iid), ("uniform", 0.5, half))
        for seed in range(4)
        for epoch in (0, 5, 10)
    ]
    table = pd.DataFrame(rows, columns=["weights", "beta", "seed", "epoch", "roughness", "accuracy"])
    return table.assign(train_loss=0.1, diverged=False)


def verdicts(name: str, analysis, rows: pd.DataFrame) -> list[tuple[str, str]]:
    found = []
    for claim in load.load(shipped()[name]).claims:
        measure, band = getattr(analysis, f"measure_{claim.claim}"), claim.band("laptop")
        controls = [
            measure(select(rows, claim.where | control.where))
            for control in claim.every_control().values()
            if not control.set
        ]
        own = measure(select(rows, claim.where))
        found.append((judge(own, band), *{judge_control(control, band) for control in controls}))
    return found


def test_weights_that_keep_their_regularity_hold_and_others_fail() -> None:
    known = verdicts(WEIGHTS, weights_analysis, trained_weights(0.0027, 0.5, 0.84, 0.96))
    assert known == [("holds", "breaks")] * 5
    wrong = verdicts(WEIGHTS, weights_analysis, trained_weights(0.2, 0.1, 0.5, 0.7))
    assert [judgement for judgement, *_ in wrong] == ["fails"] * 5
    lost = trained_weights(math.nan, math.nan, math.nan, 0.96)
    assert [judgement for judgement, *_ in verdicts(WEIGHTS, weights_analysis, lost)[:4]] == ["unclear"] * 4


def accuracies(fail: float, smooth: float, worst: float, data: str = "mnist-10k") -> pd.DataFrame:
    """A log of the laptop's map, with two learning rates and four seeds."""
    params = load.load(shipped()[MAP]).params
    rows = []
    for hurst in params.hursts.values():
        for beta in params.betas.values():
            good = worst if beta >= 0.7 else 0.93
            best = fail if beta == 0.1 and hurst >= 0.7 else smooth if beta == 0.3 and hurst == 0.9 else good
            rows += [
                (data, hurst, beta, lr, s, best - 0.01 * s - 0.2 * (lr < 5e-3)) for lr in (1e-3, 1e-2) for s in range(4)
            ]
    return pd.DataFrame(rows, columns=["data", "hurst", "beta", "lr", "seed", "accuracy"])


def test_the_known_map_holds_and_a_map_without_explosion_fails() -> None:
    assert verdicts(MAP, map_analysis, accuracies(0.36, 0.26, 0.957)) == [("holds", "breaks")] * 3
    trains, fails = (verdicts(MAP, map_analysis, accuracies(*values)) for values in ((0.95,) * 3, (0.2,) * 3))
    assert [judgement for judgement, *_ in trains] == ["fails", "fails", "holds"]
    assert [judgement for judgement, *_ in fails] == ["holds", "holds", "fails"]


def test_the_best_learning_rate_counts_at_each_place() -> None:
    rows = accuracies(0.36, 0.26, 0.957)
    place = select(rows, {"hurst": 0.1, "beta": 0.9})
    assert map_analysis.best(place)["accuracy"].tolist() == pytest.approx([0.957, 0.947, 0.937, 0.927])
    assert map_analysis.measure_lowest_accuracy(place).value == pytest.approx(0.942)


@pytest.mark.parametrize("times", [1.0, 1e6])
@pytest.mark.parametrize("hurst", [0.2, 0.5, 0.8])
def test_the_boundary_is_where_the_continued_first_order_law_has_its_value(hurst: float, times: float) -> None:
    scale = 1000 ** -map_analysis.boundary(np.array([hurst]), 1000, times)
    assert np.expm1(scale**2 * 1000 ** (2 * hurst) / 2) == pytest.approx(times**2)


def test_maps_are_drawn_a_panel_for_each_data_set() -> None:
    recipe = load.load(shipped()[MAP])
    one = accuracies(0.36, 0.26, 0.957)
    both = pd.concat([one.assign(data="mnist"), one.assign(data="cifar10", accuracy=one["accuracy"] / 2)])
    assert len(map_analysis.draw_map({"accuracies": one}, recipe).axes) == 3  # a map, its colours, cuts
    assert len(map_analysis.draw_map({"accuracies": both}, recipe).axes) == 6


@pytest.mark.parametrize("count", [1, 2, 6])
def test_the_figure_has_a_panel_for_each_network(count: int) -> None:
    networks = tuple(weights_spec.Network(weights="gaussian", beta=0.5 + 0.1 * index) for index in range(count))
    found = followed(seeds=(7,), networks=networks, training=TRAINING.model_copy(update={"epochs": 1}))
    figure = weights_analysis.draw_layers(found, load.load(shipped()[WEIGHTS]))
    assert len(figure.axes) == count + 1
    assert all(ax.lines for ax in figure.axes)


def test_the_figure_of_lost_weights_is_drawn() -> None:
    recipe = load.load(shipped()[WEIGHTS])
    training = trained_weights(math.nan, 0.5, 0.84, 0.96)
    paths = pd.DataFrame(
        {"weights": "rbf", "beta": 1.0, "seed": 0, "layer": range(5), "before": 1.0, "after": math.nan}
    )
    others = [paths.assign(weights="uniform", beta=beta, after=2.0) for beta in (1.0, 0.5)]
    figure = weights_analysis.draw_layers({"training": training, "paths": pd.concat([paths, *others])}, recipe)
    assert len(figure.axes) == 4
