"""adjoint/training: learning curves against a plain loop, the measures on logs with known gaps."""

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.selecting import select
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
    """The losses of the residual perceptron of one seed after each epoch, by torch.nn and torch.optim."""
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

    def loss_of(chosen):
        x = torch.relu(stem(train.inputs[chosen].flatten(1)))
        for inner, outer in layers:
            x = x + outer(torch.tanh(inner(x))) / depth
        return torch.nn.functional.cross_entropy(head(x), train.classes[chosen])

    found = []
    for epoch in range(2):
        order = stream(seed, "order", "training", epoch).permutation(TRAINED_ON["digits"])
        for begin in range(0, TRAINED_ON["digits"], 256):
            chosen = torch.from_numpy(order[begin : begin + 256])
            sgd.zero_grad()
            loss_of(chosen).backward()
            sgd.step()
        found.append(loss_of(slice(None)).item())
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


PAPER = {  # best test errors of the sheet in per cent, and training losses at the end
    ("euler", 2, "backprop"): (5.0, 0.05),
    ("euler", 2, "adjoint"): (8.7, 0.15),
    ("heun", 2, "backprop"): (5.6, 0.06),
    ("heun", 2, "adjoint"): (6.0, 0.1),
    ("euler", 16, "backprop"): (4.1, 0.08),
    ("euler", 16, "adjoint"): (3.8, 0.082),
    ("heun", 16, "backprop"): (4.0, 0.08),
    ("heun", 16, "adjoint"): (4.0, 0.081),
}


def judged(name: str, rows: pd.DataFrame) -> list[str]:
    """What becomes of the claims of a recipe, by the short name of each: measure, scheme if any, depth if any."""
    found = []
    for claim in load.load(shipped()[name]).claims:
        measure = getattr(analysis, f"measure_{claim.claim}")
        found.append(judge(measure(select(rows, claim.where)), claim.band("laptop")))
    return found


def curves_of(runs: dict[tuple[str, int, str], tuple[float, float]]) -> pd.DataFrame:
    return log(*({key: pair[n] for key, pair in runs.items()} for n in (0, 1)))


def test_the_claims_on_schemes_hold_for_the_gaps_of_the_sheet() -> None:
    rows = curves_of(PAPER)
    assert analysis.measure_error_gap(select(rows, {"scheme": "euler", "depth": 2})).value == pytest.approx(3.7)
    assert analysis.measure_error_gap(select(rows, {"scheme": "heun", "depth": 16})).value == pytest.approx(0.0)
    expected = np.log10(0.15 / 0.05) - np.log10(0.1 / 0.06)
    assert analysis.measure_scheme_gap(select(rows, {"depth": 2})).value == pytest.approx(expected)
    assert judged("heun/sander2022-training", rows) == ["holds"] * 7


@pytest.mark.parametrize(
    ("case", "changes", "failing"),
    [
        ("nobody learns", dict.fromkeys(PAPER, (90.0, 2.3)), {0, 1, 2, 6}),
        ("the adjoint is exact", dict.fromkeys(PAPER, (5.0, 0.08)), {0, 1, 2}),
        ("the adjoint is wrong by as much with 16 layers", {("euler", 16, "adjoint"): (8.7, 0.24)}, {3, 5, 6}),
        ("Heun's adjoint is slightly wrong with 16 layers", {("heun", 16, "adjoint"): (4.1, 0.1)}, {4}),
        ("Heun's adjoint is as wrong as Euler's with 2 layers", {("heun", 2, "adjoint"): (9.3, 0.18)}, {1}),
    ],
)
def test_a_claim_on_schemes_fails_where_what_it_states_is_not_so(case: str, changes: dict, failing: set[int]) -> None:
    found = judged("heun/sander2022-training", curves_of(PAPER | changes))
    assert {index for index, judgement in enumerate(found) if judgement != "holds"} == failing


def tied(runs: dict[tuple[str, int, str], tuple[float, float]]) -> pd.DataFrame:
    return curves_of(runs).assign(weights="tied")


def test_the_claims_on_tied_weights_say_that_the_networks_trained() -> None:
    learnt = {("euler", n, g): (5.0, 0.06) for n in (2, 8, 16, 32) for g in ("backprop", "adjoint")}
    learnt |= {("euler", 2, "adjoint"): (6.0, 0.2)}
    assert judged("adjoint/sander2022-tied-weights", tied(learnt)) == ["holds"] * 4
    assert judged("adjoint/sander2022-tied-weights", tied(dict.fromkeys(learnt, (90.0, 2.3)))) == ["holds"] * 3 + [
        "fails"
    ]


def test_the_worst_network_of_a_seed_counts_for_what_was_learnt() -> None:
    rows = log({("euler", 16, "backprop"): 5.0, ("euler", 16, "adjoint"): 5.0}, {("euler", 16, "adjoint"): np.nan})
    assert analysis.measure_worst_loss(rows).value == pytest.approx(3.0)
    assert analysis.measure_worst_loss(rows[rows["gradient"] == "backprop"]).value == pytest.approx(-1.0)


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


def test_an_adjoint_without_reconstruction_is_another_training_and_backprop_stays_as_it_is() -> None:
    plain, ablated = (logged(gradient="adjoint", ablation=ablation) for ablation in ("none", "no-reconstruction"))
    assert (plain["train_loss"] != ablated["train_loss"]).all()
    pd.testing.assert_frame_equal(logged(), logged(ablation="no-reconstruction"))
    recipe = load.load(shipped()["adjoint/sander2022-failure"], load.Request(sets=("ablation=no-reconstruction",)))
    points = recipe.experiment.spec.cells(recipe.params)
    assert {point.gradient: point.ablation for point in points} == {"backprop": "none", "adjoint": "no-reconstruction"}


@pytest.mark.parametrize("repeated", ["schemes", "gradients", "weights", "depths"])
def test_what_the_log_could_not_tell_apart_is_refused(repeated: str) -> None:
    values = {"schemes": ("euler",), "gradients": ("adjoint",), "weights": ("tied",), "depths": (2,), "seeds": 1}
    spec.Params(**DIGITS, **values, training=TRAINING)
    with pytest.raises(ValidationError, match="give each value once"):
        spec.Params(**DIGITS, **values | {repeated: values[repeated] * 2}, training=TRAINING)


def test_a_heun_network_of_a_single_layer_is_refused() -> None:
    stages = {"model": {"kind": "bottleneck", "residuals": (1, "depth"), "adjoint_from": 1}, "data": "cifar10"}
    values = {"gradients": ("backprop",), "weights": ("untied",), "depths": (2, 3), "seeds": 1, "training": TRAINING}
    spec.Params(**DIGITS | stages, **values, schemes=("euler",))
    with pytest.raises(ValidationError, match="a Heun network needs at least 2 residual layers in each stage, not 1"):
        spec.Params(**DIGITS | stages, **values, schemes=("euler", "heun"))


@pytest.mark.parametrize(
    ("depths", "schemes", "tyings", "error", "loss"),
    [
        ((5,), ("heun",), ("tied",), 0.0, 0.0),
        ((2, 3, 7), ("euler",), ("tied", "untied"), 11.0, np.nan),
        ((2, 64), ("euler", "heun"), ("untied",), 100.0, np.inf),
        ((5,), ("euler", "heun"), ("untied", "tied"), 12.5, 0.1),
    ],
)
def test_figures_are_drawn_for_all_that_may_be_asked(depths, schemes, tyings, error, loss) -> None:
    recipe = load.load(shipped()["adjoint/sander2022-failure"])
    runs = {(scheme, depth, "adjoint"): (error, loss) for scheme in schemes for depth in depths}
    rows = pd.concat((curves_of(runs).assign(weights=tying) for tying in tyings), ignore_index=True)
    for shown in (rows, rows[(rows["epoch"] == 1) & (rows["seed"] == 0)]):
        for draw, columns in ((analysis.draw_depths, 1), (analysis.draw_curves, len(depths))):
            figure = draw({"curves": shown}, recipe)
            figure.draw_without_rendering()
            assert len(figure.axes) == 2 * columns * len(tyings)
            assert all(ax.lines for ax in figure.axes)
