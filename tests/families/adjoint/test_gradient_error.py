"""adjoint/gradient-error: the metric by its formula, the resampling of layers, the measures on known logs."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from pydantic import ValidationError

from resodectl.claims.selecting import select
from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context, stream
from resodectl.families.adjoint.gradient_error import analysis, spec
from resodectl.families.adjoint.gradient_error.simulation import resampled, simulate, squared_errors
from resodectl.numerics.draws import TensorPlace, normal
from resodectl.numerics.networks.network import Solver
from resodectl.numerics.networks.tiny import TinyConv
from resodectl.numerics.ode.schemes import EULER
from resodectl.numerics.weights.depth import weights
from resodectl.recipe import load
from resodectl.training.classifiers import gradients
from resodectl.training.images import Images, training_images
from resodectl.training.scalings import halved
from tests.resuming import Memory, check_resuming
from tests.simulated import simulated

SEEDS = (0, 1, 2)
TINY = {"kind": "tiny-conv", "channels": 4, "stem": "plain-3x3"}
TRAINING = {"epochs": 2, "batch": 256, "lr": 0.05, "momentum": 0.9, "weight_decay": 0.0, "augment": True}
TRAINING |= {"schedule": {"kind": "cosine"}}


def logged(seeds=SEEDS, **changes) -> pd.DataFrame:
    values = {"data": "digits", "model": TINY, "weights": {"kind": "field", "smoothness": "smooth"}, "depths": (4, 8)}
    values |= {"batch": 16, "residual_exponent": 1.0, "scheme": "euler", "dtype": "float64"}
    return simulated("adjoint/gradient-error", spec.Point(**(values | changes)), seeds)["gradients"]


def network() -> tuple[TinyConv, dict[str, torch.Tensor], Images]:
    made = TinyConv((1, 8, 8), 10, 4, channels=4, stem=(3, 1, 1), stem_norm=False)
    params = made.initial(lambda name: [stream(seed, name) for seed in SEEDS], TensorPlace())
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(3, 12, 1, 8, 8, generator=draw, dtype=torch.float64)
    return made, params, Images(inputs, torch.randint(0, 10, (3, 12), generator=draw))


def test_the_metric_is_the_squared_difference_over_the_square_tensor_by_tensor() -> None:
    made, params, batch = network()
    params["residual.bn2.weight"] += 1
    found = squared_errors(made, params, batch, "euler", 1.0)
    exact, adjoint = (
        gradients(made, params, ["residual.conv1.weight"], *batch, Solver(EULER, gradient))[1][0]
        for gradient in ("backprop", "adjoint")
    )
    for layer in range(4):
        for seed in range(3):
            right, wrong = exact[layer, seed], adjoint[layer, seed]
            expected = ((right - wrong) ** 2).mean() / (right**2).mean()
            torch.testing.assert_close(found["residual.conv1.weight"][layer, seed], expected)
    names = {"stem.weight", *(f"residual.{part}{i}.weight" for part in ("conv", "bn") for i in (1, 2))}
    assert found.keys() == names


def test_where_the_residuals_vanish_the_adjoint_makes_no_error() -> None:
    """The residuals are zero at the start: those tensors whose gradient is not zero must have it right."""
    made, params, batch = network()
    found = squared_errors(made, params, batch, "euler", 1.0)
    for name in ("stem.weight", "residual.bn2.weight"):
        assert found[name].max().item() < 1e-24


def test_layer_i_of_n_is_layer_int_of_32_i_over_n() -> None:
    base = {"residual.x": torch.arange(32.0).view(32, 1), "head.weight": torch.ones(1, 3)}
    assert resampled(base, 4)["residual.x"].flatten().tolist() == [0, 8, 16, 24]
    assert resampled(base, 64)["residual.x"].flatten().tolist() == [int(32 * i / 64) for i in range(64)]
    assert torch.equal(resampled(base, 32)["residual.x"], base["residual.x"])
    assert resampled(base, 4)["head.weight"] is base["head.weight"]


def test_every_tensor_of_every_layer_has_its_row() -> None:
    rows = logged()
    for depth, own in rows[rows["seed"] == 1].groupby("depth"):
        assert len(own) == 4 * depth + 1
        assert own.groupby("tensor").size().to_dict() == {
            "stem.weight": 1,
            **{f"residual.{part}{i}.weight": depth for part in ("conv", "bn") for i in (1, 2)},
        }
    assert np.isfinite(rows["squared_error"]).all()
    alone = logged(seeds=(1,))
    np.testing.assert_allclose(alone["squared_error"], rows[rows["seed"] == 1]["squared_error"], rtol=1e-6)


def uniform(seed: int, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The default of torch for a first convolution of 1 x 3 x 3: uniform within 1/3."""
    return torch.from_numpy(stream(seed, "weights", name).random(shape)) * 2 / 3 - 1 / 3


@pytest.mark.parametrize("smoothness", ["smooth", "iid"])
def test_a_field_of_weights_has_the_variance_two_over_the_fan_in_and_all_norms_start_at_one(smoothness: str) -> None:
    """Normalisation hides the scale of a convolution up to its epsilon, so the errors are compared to nine digits."""
    seed, depth, batch = 4, 4, 16
    source = [stream(seed, "field", f"residual.conv{part}.weight") for part in (1, 2)]
    first, second = (math.sqrt(2 / 36) * weights(smoothness, [own], depth, (4, 4, 3, 3)) for own in source)
    ones, zeros = (torch.full((depth, 1, 4), value, dtype=torch.float64) for value in (1.0, 0.0))
    params = {"stem.weight": uniform(seed, "stem.weight", (1, 4, 1, 3, 3))}
    params |= {"residual.conv1.weight": first, "residual.conv1.bias": zeros, "residual.conv2.weight": second}
    params |= {"residual.conv2.bias": zeros, "residual.bn1.weight": ones, "residual.bn1.bias": zeros}
    params |= {"residual.bn2.weight": ones, "residual.bn2.bias": zeros}
    params["head.weight"] = normal([stream(seed, "field", "head.weight")], (10, 16)) / 4
    params["head.bias"] = torch.zeros(1, 10, dtype=torch.float64)
    images = training_images("digits", None, TensorPlace(), halved)
    chosen = torch.from_numpy(stream(seed, "batch").permutation(1797)[:batch])
    own = Images(images.inputs[chosen][None], images.classes[chosen][None])
    expected = squared_errors(network()[0], params, own, "euler", 1.0)
    rows = logged((seed,), depths=(depth,), batch=batch, weights={"kind": "field", "smoothness": smoothness})
    for name, errors in expected.items():
        of_tensor = rows[rows["tensor"] == name]
        np.testing.assert_allclose(of_tensor["squared_error"], errors[:, 0], rtol=1e-9, err_msg=name)
        assert of_tensor["layer"].tolist() == (list(range(depth)) if name.startswith("residual") else [-1])


def test_rows_run_over_the_seeds_of_each_layer() -> None:
    rows = logged((5, 9), depths=(4,))
    of_tensor = rows[rows["tensor"] == "residual.conv2.weight"]
    assert list(zip(of_tensor["layer"], of_tensor["seed"], strict=True)) == [(n, s) for n in range(4) for s in (5, 9)]


def test_a_training_goes_on_from_a_checkpoint() -> None:
    def run(memory: Memory) -> object:
        origin = spec.TrainedWeights(kind="trained", depth=2, training=TRAINING)
        values = {"data": "digits", "model": TINY, "depths": (2,), "batch": 16, "residual_exponent": 1.0}
        point = spec.Point(**values, weights=origin, scheme="euler", dtype="float32")
        cell = Cell("adjoint/gradient-error", point, (0,))
        return simulate(cell, Context(cell.seeds, torch.device("cpu"), torch.float32, checkpoint=memory))

    check_resuming(run, saves=2)


def test_trained_weights_serve_all_depths() -> None:
    origin = {"kind": "trained", "depth": 4, "training": TRAINING}
    rows = logged(seeds=(0, 1), weights=origin, dtype="float32")
    assert set(rows["depth"]) == {4, 8}
    assert (rows["squared_error"] > 0).mean() > 0.9


def log(laws: dict) -> pd.DataFrame:
    """Errors c N^slope of the tensors behind a ReLU, c N^front of the one in front; by scheme -> (c, slope, front)."""
    rows = [
        (scheme, depth, seed, f"residual.{tensor}.weight", 0, (1 + 0.05 * seed) * c * depth**order)
        for scheme, (c, behind, front) in laws.items()
        for depth in (4, 8, 16, 32, 64)
        for seed in SEEDS
        for tensor, order in (("conv1", front), ("conv2", behind), ("bn2", behind))
    ]
    return pd.DataFrame(rows, columns=["scheme", "depth", "seed", "tensor", "layer", "squared_error"])


SHEET = {"euler": (24.0, -1.95, -1.3), "heun": (400.0, -4.5, -3.3)}


def test_slopes_and_ratios_are_those_of_the_medians() -> None:
    rows = log(SHEET)
    assert analysis.measure_median_slope(select(rows, {"scheme": "euler"})).value == pytest.approx(-1.95)
    assert analysis.measure_median_error(select(rows, {"scheme": "heun", "depth": 4})).value == pytest.approx(
        1.05 * 400 / 4**4.5
    )
    expected = 400 / 24 * 32.0 ** (1.95 - 4.5)
    assert analysis.measure_scheme_ratio(select(rows, {"depth": 32})).value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "laws", "verdicts"),
    [
        ("heun/sander2022-gradient-error", SHEET, ["holds", "holds"]),
        ("heun/sander2022-gradient-error", {"euler": (6, -1, -1), "heun": (6, -2, -2)}, ["fails", "fails"]),
        ("heun/sander2022-gradient-error", {"euler": (6, -4, -4), "heun": (6, -4.1, -4)}, ["holds", "fails"]),
        ("adjoint/sander2022-gradient-error", SHEET, ["holds", "holds", "holds", "holds"]),
        ("adjoint/sander2022-gradient-error", {"euler": (0.1, -1.0, -2.0)}, ["fails", "fails", "fails", "fails"]),
        ("adjoint/sander2022-gradient-error", {"euler": (9.0, -1.2, -1.2)}, ["fails", "holds", "holds", "fails"]),
    ],
)
def test_claims_hold_inside_their_bands_and_fail_outside(name: str, laws: dict, verdicts: list[str]) -> None:
    claims = load.load(shipped()[name]).claims
    rows = log(laws)
    found = [
        judge(getattr(analysis, f"measure_{claim.claim}")(select(rows, claim.where)), claim.band("laptop"))
        for claim in claims
    ]
    assert found == verdicts


@pytest.mark.parametrize("changes", [{"depths": (4, 8, 4)}, {"schemes": ("heun", "heun")}])
def test_a_value_that_is_given_twice_is_refused_by_the_recipe(changes: dict) -> None:
    values = {"data": "digits", "model": TINY, "weights": {"kind": "field", "smoothness": "smooth"}, "depths": (4, 8)}
    values |= {"batch": 16, "residual_exponent": 1.0, "schemes": ("euler",), "dtype": "float64", "seeds": 1}
    with pytest.raises(ValidationError, match="give each value once"):
        spec.Params(**(values | changes))


@pytest.mark.parametrize("schemes", [("heun",), ("euler", "heun")])
@pytest.mark.parametrize("depths", [(2,), (3, 5)])
def test_the_figure_is_drawn_of_all_that_the_spec_allows(schemes: tuple, depths: tuple) -> None:
    logs = [logged((7,), scheme=scheme, depths=depths, batch=2) for scheme in schemes]
    recipe = load.load(shipped()["heun/sander2022-gradient-error"])
    figure = analysis.draw_tensors({"gradients": pd.concat(logs)}, recipe)
    FigureCanvasAgg(figure).draw()
    curves = [line for line in figure.axes[0].lines if "median" in line.get_label()]
    assert len(curves) == 2 * len(schemes)


def test_a_zero_error_is_left_out_of_the_logarithmic_figure() -> None:
    rows = log(SHEET)
    rows.loc[rows["tensor"] == "residual.bn2.weight", "squared_error"] = 0.0
    figure = analysis.draw_tensors({"gradients": rows}, load.load(shipped()["heun/sander2022-gradient-error"]))
    heights = np.concatenate([line.get_ydata() for line in figure.axes[0].lines])
    assert heights.min() > 0
    assert math.isfinite(figure.axes[0].get_ylim()[0])
