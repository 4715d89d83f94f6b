"""adjoint/training: learning curves against a plain loop, the measures on logs with known gaps."""

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.measures import select
from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context, stream
from resodectl.families.adjoint.training import analysis, spec
from resodectl.families.adjoint.training.simulation import simulate
from resodectl.numerics.draws import TensorPlace
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from resodectl.training.images import train_and_test_images
from resodectl.training.scalings import STANDARDISED
from resodectl.training.settings import TRAINED_ON
from tests.resuming import Memory, check_resuming
from tests.simulated import simulated

SEEDS = (0, 1, 2, 3)
DIGITS = {"data": "digits", "model": {"kind": "mlp"}, "residual_exponent": 1.0, "dtype": "float64"}
TRAINING = {"epochs": 2, "batch": 256, "lr": 0.05, "momentum": 0.9, "weight_decay": 0.0, "augment": False}
TRAINING |= {"schedule": {"kind": "steps", "milestones": (), "factor": 1.0}}


def logged(seeds=(7, 8), **changes) -> pd.DataFrame:
    values = DIGITS | {"scheme": "euler", "gradient": "backprop", "weights": "untied", "depth": 3, "training": TRAINING}
    return simulated("adjoint/training", spec.Point(**(values | changes)), seeds)["curves"]


def plain_training(seed: int, depth: int) -> list[float]:
    """The training losses of the residual perceptron of one seed, by torch.nn and torch.optim."""
    train, _ = train_and_test_images("digits", None, TensorPlace(), STANDARDISED["digits"])
    stem, head = torch.nn.Linear(64, 16).double(), torch.nn.Linear(16, 10).double()
    layers = [(torch.nn.Linear(16, 32).double(), torch.nn.Linear(32, 16).double()) for _ in range(depth)]

    def uniform(name, shape):
        bound = shape[-1] ** -0.5 if len(shape) == 2 else {16: 8.0, 10: 4.0}[shape[0]] ** -1
        return torch.from_numpy(stream(seed, "weights", name).random(shape)) * 2 * bound - bound

    first, second = (
        scale * torch.from_numpy(stream(seed, "weights", f"residual.{name}.weight").standard_normal((depth, *shape)))
        for name, scale, shape in (("first", 3 / 4, (32, 16)), ("second", 3 / 32**0.5, (16, 32)))
    )
    with torch.no_grad():
        for name, linear in (("stem", stem), ("head", head)):
            linear.weight.copy_(uniform(f"{name}.weight", tuple(linear.weight.shape)))
            linear.bias.copy_(uniform(f"{name}.bias", tuple(linear.bias.shape)))
        for n, (inner, outer) in enumerate(layers):
            inner.weight.copy_(first[n]), outer.weight.copy_(second[n])
            inner.bias.zero_(), outer.bias.zero_()
    modules = torch.nn.ModuleList([stem, head, *[linear for pair in layers for linear in pair]])
    sgd = torch.optim.SGD(modules.parameters(), lr=0.05, momentum=0.9)
    found = []
    for epoch in range(2):
        order, losses = stream(seed, "order", "training", epoch).permutation(TRAINED_ON["digits"]), []
        for begin in range(0, TRAINED_ON["digits"], 256):
            chosen = torch.from_numpy(order[begin : begin + 256])
            x = torch.relu(stem(train.inputs[chosen].flatten(1)))
            for inner, outer in layers:
                x = x + outer(torch.tanh(inner(x))) / depth
            loss = torch.nn.functional.cross_entropy(head(x), train.classes[chosen])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            losses.append(loss.item())
        found.append(float(np.mean(losses)))
    return found


def test_learning_curves_are_those_of_a_plain_loop_for_every_seed() -> None:
    rows = logged()
    for seed in (7, 8):
        own = rows[rows["seed"] == seed]
        np.testing.assert_allclose(own["train_loss"], plain_training(seed, 3), rtol=1e-9)
    assert not rows["diverged"].any()
    assert rows["epoch"].tolist() == [1, 1, 2, 2]


def test_a_training_goes_on_from_a_checkpoint() -> None:
    def run(memory: Memory) -> object:
        values = {"scheme": "heun", "gradient": "adjoint", "weights": "tied", "depth": 3}
        point = spec.Point(**DIGITS, **values, training=TRAINING | {"epochs": 3, "augment": True})
        cell = Cell("adjoint/training", point, (7, 8))
        return simulate(cell, Context(cell.seeds, torch.device("cpu"), torch.float64, checkpoint=memory))

    check_resuming(run, saves=3)


def test_a_seed_learns_the_same_in_every_block() -> None:
    alone, together = logged(seeds=(8,)), logged(seeds=(7, 8))
    pd.testing.assert_frame_equal(alone, together[together["seed"] == 8].reset_index(drop=True), rtol=1e-9)


def test_divergence_is_a_flag_and_an_error_of_a_hundred_per_cent() -> None:
    rows = logged(dtype="float32", residual_exponent=0.0, depth=16, training=TRAINING | {"lr": 1e4}, weights="tied")
    assert rows["diverged"].iloc[-1]
    assert rows[rows["diverged"]]["test_error"].max() == 100


def test_images_that_the_network_would_pool_away_are_refused() -> None:
    with pytest.raises(ValidationError, match="too small"):
        logged(model={"kind": "tiny-conv", "channels": 4, "stem": "strided-5x5"})


def log(errors: dict, losses: dict | None = None) -> pd.DataFrame:
    """Curves of two epochs; `errors` and `losses` give the last value by scheme, depth and gradient."""
    rows = []
    for (scheme, depth, gradient), error in errors.items():
        for seed in SEEDS:
            jitter = 0.1 * (seed - 1.5)
            loss = (losses or {}).get((scheme, depth, gradient), 0.1)
            for epoch, (e, t) in enumerate(((error + 3, 1.0), (error, loss)), start=1):
                rows.append((scheme, gradient, "untied", depth, seed, epoch, t, e + jitter, not np.isfinite(t)))
    names = ["scheme", "gradient", "weights", "depth", "seed", "epoch", "train_loss", "test_error", "diverged"]
    return pd.DataFrame(rows, columns=names)


PAPER = {
    ("euler", 2, "backprop"): 5.0,
    ("euler", 2, "adjoint"): 8.7,
    ("heun", 2, "backprop"): 5.6,
    ("heun", 2, "adjoint"): 6.0,
    ("euler", 16, "backprop"): 4.1,
    ("euler", 16, "adjoint"): 3.8,
    ("heun", 16, "backprop"): 4.0,
    ("heun", 16, "adjoint"): 4.0,
}


def claims(name: str):
    return load.load(shipped()[name]).claims


def test_the_gaps_of_the_sheet_hold_and_equal_networks_fail() -> None:
    rows = log(PAPER)
    assert analysis.measure_error_gap(select(rows, {"scheme": "euler", "depth": 2})).value == pytest.approx(3.7)
    assert analysis.measure_error_gap(select(rows, {"scheme": "heun", "depth": 16})).value == pytest.approx(0.0)
    assert analysis.measure_scheme_gap(select(rows, {"depth": 2})).value == pytest.approx(3.3)
    for claim in claims("heun/sander2022-training"):
        measure = getattr(analysis, f"measure_{claim.claim}")
        assert judge(measure(select(rows, claim.where)), claim.band("laptop")) == "holds"
    equal = log(dict.fromkeys(PAPER, 5.0))
    for claim in claims("heun/sander2022-training")[:2]:
        measure = getattr(analysis, f"measure_{claim.claim}")
        assert judge(measure(select(equal, claim.where)), claim.band("laptop")) == "fails"


def test_the_best_epoch_counts_for_errors_and_the_last_for_losses() -> None:
    rows = log({("euler", 2, "backprop"): 5.0, ("euler", 2, "adjoint"): 9.0})
    rows.loc[(rows["gradient"] == "adjoint") & (rows["epoch"] == 1), "test_error"] = 6.0
    assert analysis.measure_error_gap(rows).value == pytest.approx(1.0)
    losses = {("euler", 2, "backprop"): 0.1, ("euler", 2, "adjoint"): 1.0}
    assert analysis.measure_loss_gap(log(dict.fromkeys(losses, 5.0), losses)).value == pytest.approx(1.0)


@pytest.mark.parametrize("lost", [np.nan, np.inf, 1e30])
def test_a_lost_training_counts_as_a_large_finite_loss(lost: float) -> None:
    losses = {("euler", 2, "backprop"): 0.1, ("euler", 2, "adjoint"): lost}
    found = analysis.measure_loss_gap(log(dict.fromkeys(losses, 50.0), losses))
    assert found.value == pytest.approx(4.0)
    assert judge(found, Band(low=0.301, high=None)) == "holds"
    assert judge(found, Band(low=-0.1, high=0.1)) == "fails"


def test_without_one_of_the_gradients_nothing_is_known() -> None:
    rows = log({("euler", 2, "adjoint"): 5.0})
    for measure in (analysis.measure_error_gap, analysis.measure_loss_gap, analysis.measure_scheme_gap):
        assert np.isnan(measure(rows).value)


def test_the_depth_gap_is_that_of_the_deepest_and_the_shallowest_network() -> None:
    rows = log({("euler", depth, "backprop"): 5 + depth / 16 for depth in (8, 16, 32)})
    found = analysis.measure_depth_gap(rows)
    assert found.value == pytest.approx(1.5)
    assert judge(found, Band(low=-1.0, high=1.0)) == "fails"


def test_figures_show_divergence_instead_of_failing_on_it() -> None:
    losses = {("euler", depth, gradient): 0.1 for depth in (2, 32) for gradient in ("backprop", "adjoint")}
    rows = log(dict.fromkeys(losses, 50.0), losses | {("euler", 2, "adjoint"): np.nan})
    recipe = load.load(shipped()["adjoint/sander2022-failure"])
    figure = analysis.draw_curves({"curves": rows}, recipe)
    assert any("4 of 4 diverged" in text.get_text() for text in figure.axes[0].texts)
    assert len(figure.axes) == 4
