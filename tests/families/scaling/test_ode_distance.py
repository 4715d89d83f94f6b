"""scaling/ode-distance: network and ODE against plain loops and scipy, exact families, measures on known logs."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from pydantic import ValidationError
from scipy.integrate import solve_ivp

from resodectl.claims.verdict import judge
from resodectl.experiment.context import Context, stream
from resodectl.families.scaling.ode_distance import analysis, simulation, spec
from resodectl.families.scaling.ode_distance.simulation import _FAMILIES, _perceptrons, compare
from resodectl.numerics.draws import normal, uniform
from resodectl.numerics.weights.depth import smooth_at
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

SEEDS = (0, 1, 2, 3)


def point(**changes):
    defaults = {"field": "smooth", "depth": 6, "dim": 3, "batch": 4, "gain": 1.5, "residual_exponent": 1.0}
    more = {"lipschitz": (0.5, 2.0), "curvature": (0.5, 2.0), "dtype": "float64"}
    return spec.Point(**(defaults | more | changes))


def context(seeds=SEEDS):
    return Context(tuple(seeds), torch.device("cpu"), torch.float64)


def logged(seeds=SEEDS, **changes):
    return simulated("scaling/ode-distance", point(**changes), seeds)["distances"]


def plain_loop(seed, field, depth):
    """The distance by the formulas: scipy solves the ODE, afresh from layer to layer."""
    weights = [stream(seed, "weights")]
    matrices = smooth_at(torch.arange(depth + 1, dtype=torch.float64) / depth, weights, (3, 3))[:, 0]
    if field == "alternating":
        delta = normal(weights, (3, 3))[0]
        matrices = torch.stack([matrix + (-1) ** n * delta for n, matrix in enumerate(matrices)])
    matrices = [1.5 / math.sqrt(3) * matrix.numpy().T for matrix in matrices]
    inputs = normal([stream(seed, "inputs")], (4, 3))[0].numpy()
    largest = 0.0
    for x in inputs:
        network, solution = x, x
        for n in range(depth):
            here, there = matrices[n], matrices[n + 1]

            def phi(s, x, n=n, here=here, there=there):
                return np.tanh((here + (s * depth - n) * (there - here)) @ x)

            network = network + np.tanh(here @ network) / depth
            span = (n / depth, (n + 1) / depth)
            solution = solve_ivp(phi, span, solution, method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
            largest = max(largest, np.linalg.norm(network - solution))
    return largest


@pytest.mark.parametrize("field", ["smooth", "alternating"])
def test_all_seeds_at_once_are_the_plain_loops_of_each_with_scipys_solution(field):
    together = logged((0, 5), field=field)
    for seed, distance in zip((0, 5), together["distance"], strict=True):
        assert distance == pytest.approx(plain_loop(seed, field, 6), abs=1e-10)


def test_the_last_weights_are_for_interpolation_only():
    """N layers take N + 1 draws: the last one bends the ODE in the last interval and is no layer."""
    field = _perceptrons(point(depth=2), context())
    x = field.start
    torch.testing.assert_close(field.phi(x, 0, 1.0), field.phi(x, 1, 0.0))
    assert not torch.allclose(field.phi(x, 1, 1.0), field.phi(x, 1, 0.0))


@pytest.mark.parametrize("name", ["smooth", "alternating", "ramp", "affine", "bump"])
def test_the_acceleration_is_the_derivative_of_the_field_along_a_solution(name):
    build = _perceptrons if name in ("smooth", "alternating") else _FAMILIES[name]
    field = build(point(field=name), context())
    x, n, u, step = field.start, 2, 0.4, 1e-5
    velocity = field.phi(x, n, u) / 6  # of x in the unit of u, which is 1/N
    before, after = (field.phi(x + h * velocity, n, u + h) for h in (-step, step))
    torch.testing.assert_close((after - before) / (2 * step) * 6, field.acceleration(x, n, u), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("depth", [2, 8, 100, 256])
def test_the_ramp_is_off_by_half_a_step_which_is_its_bound(depth):
    found = logged(field="ramp", depth=depth)
    assert found["distance"].to_numpy() == pytest.approx([1 / (2 * depth)] * 4, abs=1e-12)
    assert found["bound"].to_numpy() == pytest.approx([1 / (2 * depth)] * 4, abs=1e-12)


@pytest.mark.parametrize("depth", [2, 8, 100, 256])
def test_affine_fields_are_off_by_their_closed_form_and_attain_the_bound_in_the_limit(depth):
    found = logged(field="affine", depth=depth)
    for seed, row in zip(SEEDS, found.itertuples(), strict=True):
        lipschitz, curvature = (float(uniform([stream(seed, n)], (), 0.5, 2.0)) for n in ("lipschitz", "curvature"))
        factor = curvature / (2 * depth * lipschitz)
        assert row.distance == pytest.approx(factor * ((1 + lipschitz / depth) ** depth - 1), abs=1e-12)
        assert row.bound == pytest.approx(factor * (math.exp(lipschitz) - 1), abs=1e-10)


@pytest.mark.parametrize(("lipschitz", "curvature"), [(0.0, 2.0), (3.0, 1.5), (1.0, 0.0)])
def test_the_constants_of_affine_fields_may_be_given(lipschitz, curvature):
    depth = 10
    found = logged(field="affine", depth=depth, lipschitz=(lipschitz, lipschitz), curvature=(curvature, curvature))
    growth = ((1 + lipschitz / depth) ** depth - 1) / lipschitz if lipschitz else 1.0
    assert found["distance"].to_numpy() == pytest.approx([curvature * growth / (2 * depth)] * 4, abs=1e-10)
    bound = math.expm1(lipschitz) / lipschitz if lipschitz else 1.0
    assert found["bound"].to_numpy() == pytest.approx([curvature * bound / (2 * depth)] * 4, abs=1e-9)


@pytest.mark.parametrize("field", ["ramp", "affine"])
@pytest.mark.parametrize("depth", [2, 9, 100])
def test_ramps_and_affine_fields_are_off_by_the_leading_term_alone(field, depth):
    assert (logged(field=field, depth=depth)["leading_gap"] < 1e-9).all()


def test_smooth_weights_are_off_by_the_leading_term_up_to_one_over_the_depth():
    gaps = [logged(field="smooth", depth=depth)["leading_gap"].mean() for depth in (64, 256)]
    assert gaps[1] < 0.04
    assert 3 < gaps[0] / gaps[1] < 5


@pytest.mark.parametrize("name", ["smooth", "alternating", "ramp", "affine", "bump"])
def test_the_field_along_a_vector_is_its_derivative_in_x(name):
    build = _perceptrons if name in ("smooth", "alternating") else _FAMILIES[name]
    field = build(point(field=name), context())
    x, v = field.start, torch.ones_like(field.start)
    _, expected = torch.func.jvp(lambda x: field.phi(x, 2, 0.4), (x,), (v,))
    torch.testing.assert_close(field.along(x, 2, 0.4, v), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("wrong", ["frozen weights", "late weights"])
def test_an_ode_along_other_weights_leaves_the_leading_term(wrong, monkeypatch):
    """Weights that are constant on a layer's interval, or half a layer late: the distance still falls like 1/N."""

    def of_layers(field, depth, scale, context):
        shift = 0.0 if wrong == "frozen weights" else 0.5

        def phi(x, n, u):
            u = u if u == 0.0 else 0.0 if wrong == "frozen weights" else u - shift
            return field.phi(x, n, u)

        return compare(replace(field, phi=phi), depth, scale, context)

    monkeypatch.setattr(simulation, "compare", of_layers)
    rows = logged(field="smooth", depth=256)
    assert judge(analysis.measure_leading_gap(rows), Band.model_validate([None, 0.04])) == "fails"


@pytest.mark.parametrize(("worst", "judgement"), [(0.03, "holds"), (0.5, "fails"), (math.nan, "unclear")])
def test_the_gap_to_the_leading_term_is_that_of_the_worst_depth(worst, judgement):
    rows = known().assign(leading_gap=0.01)
    rows.loc[rows["depth"] == 16, "leading_gap"] = worst
    assert judge(analysis.measure_leading_gap(rows), Band.model_validate([None, 0.04])) == judgement


@pytest.mark.parametrize("depth", [2, 8, 100])
def test_the_bump_moves_the_ode_by_one_and_the_network_not_at_all(depth):
    found = logged(field="bump", depth=depth)
    assert found["distance"].to_numpy() == pytest.approx([1.0] * 4, abs=1e-12)
    assert found["bound"].to_numpy() == pytest.approx([math.pi] * 4, abs=1e-12)


@pytest.mark.parametrize("field", ["smooth", "alternating"])
@pytest.mark.parametrize("depth", [2, 9, 64])
def test_the_bound_is_kept(field, depth):
    found = logged(range(8), field=field, depth=depth, gain=0.6)
    assert (found["distance"] < found["bound"]).all()


@pytest.mark.parametrize("field", ["smooth", "alternating"])
def test_the_lipschitz_constant_is_the_largest_norm_of_a_jacobian_at_the_origin_over_all_layers(field):
    built = _perceptrons(point(field=field), context((3,)))
    origin = torch.zeros(1, 1, 3, dtype=torch.float64)
    jacobians = [torch.func.jacrev(lambda x, n=n: built.phi(x, n, 0.0))(origin).reshape(3, 3) for n in range(6)]
    norms = [float(torch.linalg.matrix_norm(jacobian, 2)) for jacobian in jacobians]
    assert float(built.lipschitz) == pytest.approx(max(norms), rel=1e-12)


def test_unscaled_residuals_leave_the_ode():
    scaled, unscaled = (logged(depth=64, residual_exponent=q)["distance"] for q in (1.0, 0.5))
    assert (unscaled > 20 * scaled).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": (1, 8)}, "at least 2 layers, not 1"),
        ({"depths": (8, 8)}, "give each value once"),
        ({"fields": ("ramp", "ramp")}, "give each value once"),
        ({"curvature": (2.0, 1.0)}, "curvature: the lower of the two comes first, not 2 before 1"),
    ],
)
def test_impossible_settings_are_refused_by_the_recipe(changes, message):
    with pytest.raises(ValidationError, match=message):
        spec.Params(**({"fields": ("ramp",), "depths": (2, 8), "seeds": 1} | changes))


def known(order=-1.0, bound_order=-1.0, ratio=0.5, noise=0.0, field="smooth"):
    rng = np.random.default_rng(0)
    rows = []
    for seed in SEEDS:
        for depth in (8, 16, 32, 64):
            distance = ratio * depth**order * math.exp(noise * rng.normal())
            rows.append(
                {"field": field, "depth": depth, "seed": seed, "distance": distance, "bound": depth**bound_order}
            )
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("order", "judgement"), [(-1.0, "holds"), (-0.8, "fails"), (0.0, "fails")])
def test_the_slope_is_the_order_of_the_distance_or_of_the_bound(order, judgement):
    band = Band.model_validate([-1.1, -0.9])
    assert judge(analysis.measure_loglog_slope(known(order, noise=0.01)), band) == judgement
    assert judge(analysis.measure_loglog_slope(known(0.3, order), of="bound"), band) == judgement


@pytest.mark.parametrize(("ratio", "judgement"), [(0.5, "holds"), (1.0, "holds"), (1.01, "fails"), (math.inf, "fails")])
def test_the_bound_is_judged_at_its_worst(ratio, judgement):
    rows = known()
    rows.loc[rows["depth"] == 16, "distance"] = ratio / 16
    assert judge(analysis.measure_log10_of_bound(rows), Band.model_validate([None, 1e-9])) == judgement


@pytest.mark.parametrize(
    ("ratio", "judgement"), [(1.0, "holds"), (0.98, "fails"), (1.01, "fails"), (math.nan, "unclear")]
)
def test_tightness_is_judged_at_the_depth_where_the_bound_is_slackest(ratio, judgement):
    rows = known(ratio=max(ratio, 1.0))
    rows.loc[rows["depth"] == 8, "distance"] = ratio / 8
    assert judge(analysis.measure_tightness(rows), Band.model_validate([0.99, 1.000000001])) == judgement


@pytest.mark.parametrize(("least", "judgement"), [(1.0, "holds"), (0.5, "fails"), (math.nan, "unclear")])
def test_the_least_distance_is_that_of_the_nearest_network(least, judgement):
    rows = known(order=0.0, ratio=1.0)
    rows.loc[rows["depth"] == 64, "distance"] = least
    assert judge(analysis.measure_least_distance(rows), Band.model_validate([0.999, 1.001])) == judgement


@pytest.mark.parametrize("depths", [(8,), (8, 16), (8, 16, 32, 64)])
def test_the_figure_is_drawn_from_few_and_from_many_depths(depths):
    path = Path(__file__).parents[3] / "recipes/scaling/sander2022-ode-distance.yaml"
    recipe = load.load(path, load.Request(profile="smoke"))
    log = pd.concat(known(field=field) for field in analysis.FIELDS)
    figure = analysis.draw_distances({"distances": log[log["depth"].isin(depths)]}, recipe)
    assert len(figure.axes) == 3


@pytest.mark.parametrize("fields", [("bump",), ("smooth",), ("affine", "ramp"), tuple(analysis.FIELDS)])
@pytest.mark.parametrize("depths", [(2,), (3, 5)])
def test_the_figure_is_drawn_of_all_that_the_spec_allows(fields, depths):
    params = spec.Params(fields=fields, depths=depths, seeds=1, curvature=(0.0, 0.0), dim=1, batch=1)
    log = pd.concat(simulated("scaling/ode-distance", point, (0,))["distances"] for point in spec.cells(params))
    figure = analysis.draw_distances({"distances": log}, SimpleNamespace(title="", params=params))
    FigureCanvasAgg(figure).draw()
