"""adjoint/reconstruction: the simulation against plain loops, the measures on logs with known orders."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from pydantic import ValidationError
from scipy.special import ndtr

from resodectl.claims.verdict import judge
from resodectl.experiment.context import stream
from resodectl.families.adjoint.reconstruction import analysis, simulation, spec
from resodectl.numerics.draws import normal
from resodectl.numerics.ode.adjoint import integrate, layers_of, reconstruct
from resodectl.numerics.ode.schemes import SCHEMES, advance
from resodectl.numerics.weights.depth import mlp_weights
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

DEPTHS = (64, 128, 256, 512)
SEEDS = (0, 1, 2, 3)


def point(**changes):
    defaults = {"scheme": "euler", "weights": "alternating", "depth": 5, "dim": 3, "hidden": 4, "batch": 6}
    more = {"activation": "tanh", "residual_exponent": 1.0, "dtype": "float64"}
    return spec.Point(**(defaults | more | changes))


def logged(seeds, **changes):
    return simulated("adjoint/reconstruction", point(**changes), seeds)["errors"]


def plain_loop(seed, scheme, depth):
    """The errors of one network by the formulas, without schemes, stacks of seeds or the autograd function."""
    streams = {name: [stream(seed, "weights", name)] for name in "WbV"}
    stacks = mlp_weights("alternating", streams, depth, 3, 4)
    layers = [[stack[n, 0].requires_grad_() for stack in stacks] for n in range(depth)]
    x0, target = (normal([stream(seed, label)], (6, 3))[0] for label in ("inputs", "targets"))

    def f(x, n):
        first, bias, second = layers[n]
        return torch.tanh(x @ first + bias) @ second

    def forward(x, n):
        if scheme == "euler":
            return x + f(x, n) / depth
        return x + (f(x, n) + f(x + f(x, n) / depth, n + 1)) / (2 * depth)

    def backward(x, n):
        if scheme == "euler":
            return x - f(x, n) / depth
        return x - (f(x, n + 1) + f(x - f(x, n + 1) / depth, n)) / (2 * depth)

    steps = depth if scheme == "euler" else depth - 1
    flat = [w for layer in layers for w in layer]
    states = [x0]
    for n in range(steps):
        states.append(forward(states[-1], n))
    loss = (states[-1] - target).square().sum(1).mean() / 2
    exact = torch.autograd.grad(loss, flat)

    cotangent = (states[-1] - target).detach() / 6
    found = [torch.zeros_like(w) for w in flat]
    x = states[-1].detach()
    for n in reversed(range(steps)):
        x = backward(x, n).detach().requires_grad_()
        cotangent, *parts = torch.autograd.grad(forward(x, n), [x, *flat], cotangent, allow_unused=True)
        found = [old if new is None else old + new for old, new in zip(found, parts, strict=True)]
    errors = [a - b for a, b in zip(found, exact, strict=True)]
    of_layers = [math.sqrt(sum(e.square().sum().item() for e in errors[3 * n : 3 * n + 3])) for n in range(depth)]
    return {
        "reconstruction_error": ((x0 - x).norm() / x.norm()).item(),
        "gradient_error": np.linalg.norm(of_layers) / math.sqrt(sum(e.square().sum().item() for e in exact)),
        "layer_gradient_error": max(of_layers),
        "distance": (x0 - x).norm(dim=1).max().item(),
    }


@pytest.mark.parametrize("scheme", ["euler", "heun"])
def test_all_seeds_at_once_are_the_plain_loops_of_each(scheme):
    together = logged((3, 7), scheme=scheme)
    for (_, row), seed in zip(together.iterrows(), (3, 7), strict=True):
        for name, value in plain_loop(seed, scheme, 5).items():
            assert row[name] == pytest.approx(value, rel=1e-10), name


@pytest.mark.parametrize("weights", ["smooth", "tied", "brownian", "iid", "alternating"])
@pytest.mark.parametrize("activation", ["tanh", "gelu", "relu"])
def test_the_reconstruction_keeps_its_bound(weights, activation):
    rows = logged(range(5), weights=weights, activation=activation, depth=32)
    assert (rows["distance"] < rows["distance_bound"]).all()


@pytest.mark.parametrize(
    ("activation", "slope", "exponent"), [("tanh", 1.0, 1.0), ("relu", 1.0, 0.5), ("gelu", 1.129, 1.0)]
)
def test_the_bound_is_that_of_the_largest_residual_and_the_largest_lipschitz_constant(activation, slope, exponent):
    """(C/N) ((1 + L/N)^N - 1), C = max |f(x_n)| and L = max |W| |V| over the layers, in a loop."""
    act = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0), "gelu": lambda z: z * ndtr(z)}[activation]
    rows = logged((3, 7), activation=activation, residual_exponent=exponent)
    for seed, found in zip((3, 7), rows["distance_bound"], strict=True):
        stacks = mlp_weights("alternating", {name: [stream(seed, "weights", name)] for name in "WbV"}, 5, 3, 4)
        first, bias, second = (stack[:, 0].numpy() for stack in stacks)
        x, largest = normal([stream(seed, "inputs")], (6, 3))[0].numpy(), 0.0
        for n in range(5):
            residual = act(x @ first[n] + bias[n]) @ second[n]
            largest = max(largest, *np.linalg.norm(residual, axis=1))
            x = x + 5**-exponent * residual
        lipschitz = max(slope * np.linalg.norm(a, 2) * np.linalg.norm(b, 2) for a, b in zip(first, second, strict=True))
        assert found == pytest.approx(largest / 5 * ((1 + lipschitz / 5) ** 5 - 1), rel=1e-10)


def test_the_bound_is_attained_to_first_order_by_a_linear_network():
    """f(x) = a x: distance |x| (1 - (1 - a^2/N^2)^N) against |a x_N| ((1 + a/N)^N - 1) / N, of one order in N."""
    depth, a, x = 50, 0.7, 1.3
    distance = x * (1 - (1 - a**2 / depth**2) ** depth)
    bound = a * x * (1 + a / depth) ** (depth - 1) / depth * ((1 + a / depth) ** depth - 1)
    assert 0.3 < distance / bound < 1


@pytest.mark.parametrize(("dim", "hidden"), [(1, 1), (3, 4)])
def test_an_affine_network_is_reconstructed_up_to_the_products_of_its_matrices(dim, hidden):
    """f(x) = A_n x + c_n: the error obeys e_n = (I - A_n/N) e_{n+1} - A_n (A_n x_n + c_n) / N^2, untied layers."""
    depth, batch = 7, 6
    rows = logged((3, 7), activation="linear", weights="iid", depth=depth, dim=dim, hidden=hidden)
    for seed, row in zip((3, 7), rows.itertuples(), strict=True):
        streams = {name: [stream(seed, "weights", name)] for name in "WbV"}
        first, bias, second = (stack[:, 0].numpy() for stack in mlp_weights("iid", streams, depth, dim, hidden))
        x, states = normal([stream(seed, "inputs")], (batch, dim))[0].numpy(), []
        for n in range(depth):
            states.append(x)
            x = x + (x @ first[n] + bias[n]) @ second[n] / depth
        error = np.zeros_like(x)
        for n in reversed(range(depth)):
            matrix = first[n] @ second[n]
            error = error - error @ matrix / depth
            error = error - (states[n] @ matrix + bias[n] @ second[n]) @ matrix / depth**2
        found = np.sqrt((error**2).mean() / ((states[0] + error) ** 2).mean())
        assert row.reconstruction_error == pytest.approx(found, rel=1e-10)
        assert row.leading_gap < 1e-12


def test_a_scalar_linear_network_is_reconstructed_up_to_the_product_of_one_minus_squares():
    """Untied f(x) = a_n x: x_0 becomes prod(1 - a_n^2/N^2) x_0 for Euler, and for Heun prod((1 + p_n)^2 - s_n^2) x_0
    with p_n = a_n a_{n+1} / (2 N^2), s_n = (a_n + a_{n+1}) / (2 N)."""
    depth = 9
    a = normal([stream(0, "a")], (depth,))[0]
    stacks = [a.view(depth, 1, 1, 1)]
    x = torch.ones(1, 1, 1, dtype=torch.float64)
    step, residual = 1 / depth, lambda x, theta: torch.bmm(x, theta[0])
    p, s = a[:-1] * a[1:] / (2 * depth**2), (a[:-1] + a[1:]) / (2 * depth)
    expected = {"euler": (1 - a**2 / depth**2).prod(), "heun": ((1 + p) ** 2 - s**2).prod()}
    for name, scheme in SCHEMES.items():
        found = reconstruct(scheme, residual, integrate(scheme, residual, x, stacks, step), stacks, step)
        assert found.item() == pytest.approx(expected[name].item(), abs=1e-14)


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
@pytest.mark.parametrize(
    ("scheme", "weights"), [*(("euler", kind) for kind in analysis.COLOURS), ("heun", "iid"), ("heun", "alternating")]
)
def test_the_error_is_its_leading_term_up_to_one_over_the_depth(activation, scheme, weights):
    shallow, deep = (
        logged(range(4), scheme=scheme, weights=weights, activation=activation, depth=n)["leading_gap"].mean()
        for n in (64, 256)
    )
    assert deep < 0.02
    assert 2.5 < shallow / deep < 8


@pytest.mark.parametrize(
    ("scheme", "wrong"),
    [("euler", "next layer"), ("euler", "short step"), ("heun", "next layer"), ("heun", "same order")],
)
def test_an_inverse_with_a_wrong_layer_or_step_leaves_the_leading_term(scheme, wrong, monkeypatch):
    """Such an inverse keeps the order 1/N of an Euler network, whatever the weights."""

    def reconstructed(scheme, residual, x, stacks, step):
        layers = layers_of(stacks)
        layers.append(layers[-1])
        for n in reversed(range(len(layers) - 1 - scheme.span)):
            first = n + (wrong == "next layer")
            used = layers[first : first + scheme.span + 1]
            back = step * (1 - step / 2) if wrong == "short step" else step
            x = advance(scheme, residual, x, used if wrong == "same order" else used[::-1], -back)
        return x

    monkeypatch.setattr(simulation, "reconstruct", reconstructed)
    rows = logged(range(4), scheme=scheme, weights="iid", depth=128)
    assert judge(analysis.measure_leading_gap(rows), Band.model_validate([None, 0.03])) == "fails"


@pytest.mark.parametrize(
    ("worst", "value", "judgement"), [(0.02, 0.02, "holds"), (9.0, 1, "fails"), (math.nan, 1, "fails")]
)
def test_the_gap_to_the_leading_term_is_that_of_the_worst_depth_and_one_at_most(worst, value, judgement):
    rows = pd.DataFrame({"seed": np.repeat(SEEDS, 3), "leading_gap": 1e-3})
    rows.loc[1::3, "leading_gap"] = worst
    estimate = analysis.measure_leading_gap(rows)
    assert estimate.value == pytest.approx(value)
    assert judge(estimate, Band.model_validate([None, 0.03])) == judgement


def test_heun_has_no_bound():
    assert logged((0,), scheme="heun")["distance_bound"].isna().all()


def test_relu_networks_are_reconstructed_with_the_same_order():
    shallow, deep = (logged((0, 1), activation="relu", weights="smooth", depth=n) for n in (64, 256))
    ratio = shallow["reconstruction_error"] / deep["reconstruction_error"]
    assert np.log2(ratio).to_numpy() / 2 == pytest.approx([1, 1], abs=0.05)


@pytest.mark.parametrize("changes", [{"depths": (8, 8)}, {"weights": ("iid", "iid")}, {"schemes": ("heun", "heun")}])
def test_a_value_that_is_given_twice_is_refused_by_the_recipe(changes):
    with pytest.raises(ValidationError, match="give each value once"):
        spec.Params(**({"schemes": ("euler",), "weights": ("iid",), "depths": (8, 16), "seeds": 1} | changes))


def test_brownian_weights_of_odd_depths_are_refused_by_the_recipe():
    with pytest.raises(ValidationError, match="powers of two, not 24"):
        spec.Params(schemes=("euler",), weights=("brownian",), depths=(8, 24), seeds=1)


def power_law(orders, scheme="euler", weights="smooth", noise=0.0):
    """Errors that are exact powers of the depth, up to a factor of each seed."""
    rng = np.random.default_rng(0)
    rows = []
    for seed in SEEDS:
        scale = math.exp(rng.normal())
        for depth in DEPTHS:
            errors = {f"{name}_error": scale * depth**order * math.exp(noise * rng.normal()) for name, order in orders}
            rows.append({"scheme": scheme, "weights": weights, "depth": depth, "seed": seed, **errors})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("order", "judgement"), [(-1.0, "holds"), (-0.5, "fails"), (-1.5, "fails")])
@pytest.mark.parametrize("error", ["reconstruction", "gradient", "layer_gradient"])
def test_the_slope_is_the_order_of_the_error(error, order, judgement):
    estimate = analysis.measure_loglog_slope(power_law([(error, order)], noise=0.01), error=error)
    assert estimate.value == pytest.approx(order, abs=0.02)
    assert estimate.units == len(SEEDS)
    assert judge(estimate, Band.model_validate([-1.08, -0.92])) == judgement


def test_a_slope_of_errors_that_vanish_or_diverge_is_unclear():
    rows = power_law([("gradient", -1.0)])
    for value in (0.0, math.inf, math.nan):
        rows.loc[3, "gradient_error"] = value
        estimate = analysis.measure_loglog_slope(rows, error="gradient")
        assert judge(estimate, Band.model_validate([-2, 0])) == "unclear"


@pytest.mark.parametrize(("heun", "judgement"), [(-1.0, "holds"), (-3.0, "fails")])
def test_the_slope_difference_is_what_heun_wins_over_euler(heun, judgement):
    rows = pd.concat(
        [power_law([("gradient", -1.0)], noise=0.01), power_law([("gradient", heun)], scheme="heun", noise=0.01)]
    )
    estimate = analysis.measure_slope_difference(rows, error="gradient")
    assert estimate.value == pytest.approx(heun + 1, abs=0.03)
    assert judge(estimate, Band.model_validate([-0.2, 0.2])) == judgement


@pytest.mark.parametrize(
    ("worst", "value", "judgement"),
    [(0.1, -1, "holds"), (100.0, 2, "fails"), (math.inf, 6, "fails"), (math.nan, 6, "fails"), (1e30, 6, "fails")],
)
def test_the_bound_is_judged_at_its_worst_and_capped_where_it_explodes(worst, value, judgement):
    rows = pd.DataFrame({"seed": np.repeat(SEEDS, 3), "distance": 1e-3, "distance_bound": 1.0})
    rows.loc[1::3, "distance"] = worst
    estimate = analysis.measure_log10_of_bound(rows)
    assert (estimate.low, estimate.high) == (pytest.approx(value), pytest.approx(value))
    assert judge(estimate, Band.model_validate([None, 0])) == judgement


@pytest.mark.parametrize("name", ["adjoint/sander2022-reconstruction", "heun/sander2022-order"])
@pytest.mark.parametrize("depths", [(2, 4), (2, 64), DEPTHS])
def test_figures_are_drawn_from_few_and_from_many_depths(name, depths):
    path = Path(__file__).parents[3] / "recipes" / f"{name}.yaml"
    recipe = load.load(path, load.Request(profile="smoke"))
    log = pd.concat(
        power_law([(e, -1.0) for e in analysis.ERRORS], scheme, kind).assign(depth=lambda rows: rows["depth"])
        for scheme in recipe.params.schemes
        for kind in recipe.params.weights
    )
    log = log[log["depth"].isin(depths)] if depths == DEPTHS else log.assign(depth=np.resize(depths, len(log)))
    draw = getattr(analysis, f"draw_{recipe.file.draw}")
    figure = draw({"errors": log}, recipe)
    assert len(figure.axes) == {"kinds": 3, "orders": 8}[recipe.file.draw]


@pytest.mark.parametrize("draw", ["kinds", "orders"])
@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize(("schemes", "kinds"), [(("heun",), ("tied",)), (("euler", "heun"), ("iid", "smooth"))])
def test_figures_are_drawn_of_all_that_the_spec_allows(draw, activation, schemes, kinds):
    depths = (2,) if activation == "relu" else (2, 64, 65)
    params = spec.Params(
        schemes=schemes, weights=kinds, depths=depths, seeds=1, dim=1, hidden=1, batch=1, activation=activation
    )
    log = pd.concat(simulated("adjoint/reconstruction", point, (0,))["errors"] for point in spec.cells(params))
    figure = getattr(analysis, f"draw_{draw}")({"errors": log}, SimpleNamespace(title="", params=params))
    FigureCanvasAgg(figure).draw()
    curves = [line for line in figure.axes[0].lines if line.get_label()[0] != "_"]
    assert len(curves) == len(schemes) * (len(kinds) if draw == "kinds" else 1)
