"""scaling/initial-norms: the simulation against plain networks and autograd, the measures on logs with known laws."""

import math
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from scipy import stats

from resodectl.claims.verdict import judge
from resodectl.experiment.context import stream
from resodectl.families.scaling.initial_norms import analysis, spec
from resodectl.families.scaling.initial_norms.simulation import AT_ONCE
from resodectl.numerics.draws import uniform
from resodectl.numerics.laws.residual_norms import log_normal_limit, mean_square_change
from resodectl.numerics.weights.processes import entries
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

NORMS = ("output", "gradient")
SEEDS = (0, 1, 2, 3, 4)


def point(**changes):
    network = {"weights": "uniform", "depth": 6, "dim": 4, "inputs": 5, "architecture": "res-3", "activation": "relu"}
    rest = {"exponents": (0.5, 1.0), "repetitions": 7, "method": "direct", "hurst": 0.5, "dtype": "float64"}
    return spec.Point(**(network | rest | changes))


def logged(seeds, **changes):
    return simulated("scaling/initial-norms", point(**changes), seeds)["norms"]


def plain_networks(seed, weights, depth=6, dim=4, inputs=5, repetitions=7):
    """A x, B, y and the layers of one network after the other, drawn as the simulation draws them."""
    label = () if weights == "rbf" else (depth,)
    streams = {name: [stream(seed, "norms", name, *label)] for name in ("V", "Theta", "A", "x", "B")}
    outer = "uniform" if weights == "uniform" else "gaussian"
    for first in range(0, repetitions, AT_ONCE):
        n = min(AT_ONCE, repetitions - first)
        v, theta = (entries(weights, streams[name], depth, (n, dim, dim))[:, 0] / dim**0.5 for name in ("V", "Theta"))
        a = entries(outer, streams["A"], 1, (n, dim, inputs))[0, 0] / inputs**0.5
        x = uniform(streams["x"], (n, inputs, 1))[0]
        b = entries(outer, streams["B"], 1, (n, dim, 1))[0, 0] / dim**0.5
        for i in range(n):
            yield a[i] @ x[i, :, 0], b[i, :, 0], v[:, i], theta[:, i]


@pytest.mark.parametrize("weights", ["uniform", "gaussian", "rbf"])
def test_networks_side_by_side_are_plain_networks_differentiated_by_autograd(weights):
    """The loss is that of the paper, with a target of its own: the norms do not depend on it."""
    rows = logged((3, 8), weights=weights).set_index(["seed", "exponent", "repetition"])
    for seed in (3, 8):
        for repetition, (h0, b, v, theta) in enumerate(plain_networks(seed, weights)):
            for exponent in (0.5, 1.0):
                states = [h0.requires_grad_()]
                for layer in range(6):
                    h = states[-1]
                    states.append(h + 6**-exponent * v[layer] @ torch.relu(theta[layer] @ h))
                loss = (b @ states[-1] - 0.3 - repetition) ** 2
                p0, pL = torch.autograd.grad(loss, [states[0], states[-1]])
                row = rows.loc[seed, exponent, repetition]
                for norm, start, end in (("output", h0.detach(), states[-1].detach()), ("gradient", pL, p0)):
                    change, ratio = (end - start).norm() / start.norm(), end.norm() / start.norm()
                    assert row[f"{norm}_change"] == pytest.approx(float(change), rel=1e-10)
                    assert row[f"{norm}_stretch"] == pytest.approx(float(ratio), rel=1e-10)


@pytest.mark.parametrize("architecture", ["res-1", "res-2", "res-3"])
def test_states_of_the_right_size_enter_networks_that_are_not_homogeneous(architecture):
    """With tanh the size of A x counts: A has entries of variance 1 / inputs, x is uniform on [0, 1)."""
    rows = logged((3,), architecture=architecture, activation="tanh").set_index(["exponent", "repetition"])
    source = [stream(3, "norms", "b", 6)]
    biases = torch.cat([entries("uniform", source, 6, (n, 4, 1))[:, 0] for n in (AT_ONCE, 2)], 1) / 2
    for repetition, (h0, b, v, theta) in enumerate(plain_networks(3, "uniform")):
        start = h0.requires_grad_()
        for exponent in (0.5, 1.0):
            h = start
            for k in range(6):
                seen = {"res-1": h, "res-2": h + biases[k, repetition, :, 0], "res-3": theta[k] @ h}[architecture]
                h = h + 6**-exponent * v[k] @ torch.tanh(seen)
            (p0,) = torch.autograd.grad(b @ h, start)
            h, first = h.detach(), start.detach()
            row = rows.loc[exponent, repetition]
            assert row["output_stretch"] == pytest.approx(float(h.norm() / first.norm()), rel=1e-10)
            assert row["output_change"] == pytest.approx(float((h - first).norm() / first.norm()), rel=1e-10)
            assert row["gradient_change"] == pytest.approx(float((p0 - b).norm() / b.norm()), rel=1e-10)


@pytest.mark.parametrize("method", ["direct", "joint", "marginal"])
def test_every_method_gives_the_exact_mean_squares(method):
    """4,000 networks at each exponent; four standard errors."""
    rows = logged((0, 1), method=method, weights="gaussian", depth=8, dim=5, repetitions=2000)
    assert len(rows) == 2 * 2 * 2000
    for exponent, own in rows.groupby("exponent"):
        law = float(mean_square_change(8, exponent))
        for norm in NORMS:
            squares = own[f"{norm}_change"] ** 2
            assert squares.mean() == pytest.approx(law, abs=4 * squares.std() / math.sqrt(len(squares)))


@pytest.mark.parametrize("method", ["joint", "marginal"])
@pytest.mark.parametrize("norm", NORMS)
def test_sampled_norms_have_the_law_of_direct_ones(method, norm):
    direct, sampled = (
        logged((0,), method=m, weights="gaussian", exponents=(0.5,), depth=5, dim=6, repetitions=4000)
        for m in ("direct", method)
    )
    for column in (f"{norm}_change", f"{norm}_stretch"):
        assert stats.ks_2samp(direct[column], sampled[column]).statistic < 0.036  # passed once in a hundred


@pytest.mark.parametrize(("weights", "level"), [("rbf", 0.301), ("rbf_increments", 0.199)])
def test_smooth_weights_and_their_increments_change_the_output_by_different_shares(weights, level):
    """The first-order law at exponent 1, which the measured root mean square passes by a few per cent."""
    rows = logged((0, 1), weights=weights, exponents=(1.0,), depth=100, dim=40, repetitions=100)
    rms = math.sqrt((rows["output_change"] ** 2).mean())
    assert rms == pytest.approx(level, rel=0.08)


@pytest.mark.parametrize("changes", [{"length_scale": 0.3}, {"weights": "rbf_and_gaussian", "rough_share": 0.5}])
@pytest.mark.parametrize("norm", NORMS)
def test_weakly_scaled_networks_obey_the_first_order_law_of_their_weights(norm, changes):
    network = {"weights": "rbf", "exponents": (2.0,), "dim": 20, "repetitions": 100} | changes
    rows = logged((0, 1, 2), depth=50, **network)
    params = spec.Params(**network, depths=(50,), seeds=3)
    law = analysis._law(params, 2.0, np.array([50]), norm)[1][0]
    assert math.sqrt((rows[f"{norm}_change"] ** 2).mean()) == pytest.approx(law, rel=0.06)


def test_lists_whose_values_the_log_cannot_tell_apart_are_refused():
    rest = {"weights": "rbf", "seeds": 1, "repetitions": 1}
    for lists in ({"exponents": (1.0, 1.0), "depths": (3,)}, {"exponents": (1.0,), "depths": (3, 3)}):
        with pytest.raises(ValidationError, match="give each value once"):
            spec.Params(**rest, **lists)


def test_uniform_weights_are_log_normal_at_the_limit_too():
    """Universality: 400 networks of width 20 at depth 200 within the distance that is passed once in a thousand."""
    rows = logged((0,), weights="uniform", exponents=(0.5,), depth=200, dim=20, repetitions=400)
    for norm in NORMS:
        mean, deviation = log_normal_limit(20)
        z = (np.log(rows[f"{norm}_stretch"]) - mean) / deviation
        assert stats.kstest(z, "norm").statistic < 1.95 / 20


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"weights": "uniform", "method": "joint"}, "knows the law of gaussian res-3 relu networks in float64 only"),
        ({"method": "marginal", "activation": "tanh"}, "not of gaussian res-3 tanh float64; use 'direct'"),
        ({"method": "joint", "architecture": "res-1"}, "not of gaussian res-1 relu float64"),
        ({"depths": (0, 3)}, "at least 1 layer, not 0"),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_the_recipe(changes, sentence):
    network = {"weights": "gaussian", "exponents": (0.5,), "depths": (3,), "seeds": 1, "repetitions": 1}
    with pytest.raises(ValidationError, match=sentence):
        spec.Params(**(network | changes))


def test_an_explosion_is_logged_as_infinite():
    rows = logged((0, 1), weights="fbm", hurst=0.95, exponents=(-1.5,), depth=100, repetitions=2)
    assert not np.isfinite(rows["output_change"]).any()
    assert judge(analysis.measure_rms(rows, norm="output"), Band.model_validate([0, 1])) == "unclear"


def log(change, depths=(100, 200, 400), exponent=0.5, noise=0.02, dim=40):
    """Changes that are a function of the depth, up to a factor of each seed and network."""
    rng = np.random.default_rng(0)
    rows = [
        {"seed": s, "depth": n, "exponent": exponent, "repetition": r, "dim": dim, "weights": "gaussian"}
        for s in SEEDS
        for n in depths
        for r in range(20)
    ]
    found = pd.DataFrame(rows)
    for norm in NORMS:
        values = np.array([change(n) for n in found["depth"]]) * np.exp(noise * rng.standard_normal(len(found)))
        found[f"{norm}_change"] = found[f"{norm}_stretch"] = values
    return found


def band(low, high):
    return Band.model_validate([low, high])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("level", "judgement"), [(0.8, "holds"), (0.7, "fails"), (0.9, "fails")])
def test_levels_are_judged_on_either_side_of_their_bands(norm, level, judgement):
    rows = log(lambda _: level)
    for measure in (analysis.measure_rms, analysis.measure_mean):
        found = measure(rows, norm=norm)
        assert found.value == pytest.approx(level, rel=0.01)
        assert found.units == len(SEEDS)
        assert judge(found, band(0.757, 0.8537)) == judgement


def test_the_root_mean_square_is_that_of_all_networks():
    rows = log(lambda _: 1.0, noise=1.0)
    found = analysis.measure_rms(rows, norm="output")
    assert found.value == pytest.approx(math.sqrt((rows["output_change"] ** 2).mean()))
    assert found.low < found.value < found.high


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("order", "judgement"), [(-0.5, "holds"), (0.0, "fails"), (-1.0, "fails")])
def test_the_slope_is_the_power_of_the_depth(norm, order, judgement):
    found = analysis.measure_depth_slope(log(lambda n: 3 * n**order), norm=norm)
    assert found.value == pytest.approx(order, abs=0.01)
    assert judge(found, band(-0.53, -0.47)) == judgement


@pytest.mark.parametrize(("factor", "judgement"), [(1.0, "holds"), (1.1, "fails"), (0.9, "fails")])
def test_the_ratio_to_the_exact_law_is_one_where_the_law_holds(factor, judgement):
    rows = log(lambda n: factor * math.sqrt(mean_square_change(n, 0.5)))
    found = analysis.measure_rms_over_law(rows, norm="gradient")
    assert found.value == pytest.approx(factor, rel=0.01)
    assert judge(found, band(0.97, 1.03)) == judgement


@pytest.mark.parametrize(("growth", "judgement"), [(0.0, "holds"), (0.5, "fails")])
def test_the_spread_is_that_of_the_means_at_the_depths(growth, judgement):
    found = analysis.measure_spread_over_depths(log(lambda n: n**growth, noise=0.01), norm="output")
    assert found.value == pytest.approx(3 / (1 + 2**0.5 + 2) if growth else 0.0, abs=0.01)
    assert judge(found, band(None, 0.2)) == judgement


@pytest.mark.parametrize(("level", "judgement"), [(1e5, "holds"), (1e3, "fails")])
def test_the_median_is_told_in_powers_of_ten(level, judgement):
    rows = log(lambda _: level)
    rows.loc[rows["repetition"] == 3, "output_change"] = math.inf  # one network in twenty
    found = analysis.measure_median(rows, norm="output")
    assert found.value == pytest.approx(math.log10(level), abs=0.02)
    assert judge(found, band(4, None)) == judgement


def log_normal(mean, deviation):
    """10 seeds of 2,000 stretches of width 100."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"seed": np.repeat(np.arange(10), 2000), "dim": 100})
    for norm in NORMS:
        frame[f"{norm}_stretch"] = np.exp(mean + deviation * rng.standard_normal(len(frame)))
    return frame


@pytest.mark.parametrize(
    ("mean", "deviation", "judgements"),
    [
        (0.245, 0.0707, ("holds", "holds", "holds")),
        (0.255, 0.0707, ("fails", "holds", "fails")),
        (0.245, 0.09, ("holds", "fails", "fails")),
        (0.062, 0.0353, ("fails", "fails", "fails")),
    ],
)
@pytest.mark.parametrize("norm", NORMS)
def test_the_log_normal_law_is_told_from_others_by_mean_deviation_or_distance(mean, deviation, judgements, norm):
    rows = log_normal(mean, deviation)
    measures = analysis.measure_log_mean, analysis.measure_log_std, analysis.measure_distance_to_log_normal
    bands = band(0.2422, 0.2478), band(0.0672, 0.0742), band(None, 1.95 / math.sqrt(2000))
    found = [measure(rows, norm=norm) for measure in measures]
    assert found[0].value == pytest.approx(mean, abs=0.002)
    assert found[1].value == pytest.approx(deviation, abs=0.001)
    z = (np.log(rows[f"{norm}_stretch"]) - 0.245) / math.sqrt(1 / 200)
    distances = [stats.kstest(own, "norm").statistic for _, own in z.groupby(rows["seed"])]
    assert found[2].value == pytest.approx(np.mean(distances))
    assert tuple(judge(f, b) for f, b in zip(found, bands, strict=True)) == judgements


RECIPES = ("output-norm", "gradient-norm", "smooth-output-norm", "smooth-gradient-norm", "norm-histogram")


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("depths", [(10,), (10, 100, 1000)])
def test_figures_are_drawn_with_and_without_explosions(name, depths):
    path = Path(__file__).parents[3] / "recipes/scaling" / f"marion2022-{name}.yaml"
    recipe = load.load(path, load.Request(profile="smoke"))
    rows = pd.concat(log(lambda n: 1 + n, depths, exponent) for exponent in recipe.params.exponents)
    draw = getattr(analysis, f"draw_{recipe.file.draw}")
    for last in (1.0, math.inf, math.nan):
        rows.iloc[-1, rows.columns.get_indexer(["output_change", "gradient_change"])] = last
        assert len(draw({"norms": rows}, recipe).axes) == (2 if name == "norm-histogram" else 3)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"repetitions": 1, "seeds": 1},
        {"exponents": (0.5, 1.0), "depths": (1, 3)},
        {"exponents": (-200.0,)},  # all networks overflow
        {"weights": "rbf_and_gaussian", "architecture": "res-2", "activation": "tanh"},
        {"weights": "fbm", "hurst": 0.9, "exponents": (0.1, 0.5, 1.0, 2.0)},
    ],
)
@pytest.mark.parametrize("draw", ["output", "gradient", "histograms"])
def test_figures_are_drawn_of_other_params_than_those_that_are_shipped(draw, changes):
    network = {"weights": "rbf", "exponents": (1.0,), "dim": 3, "repetitions": 2} | changes
    depths, seeds = network.pop("depths", (30,)), range(network.pop("seeds", 2))
    params = spec.Params(**network, depths=depths, seeds=len(seeds))
    rows = pd.concat(logged(seeds, depth=depth, **network) for depth in depths)
    recipe = load.load(Path(__file__).parents[3] / "recipes/scaling/marion2022-output-norm.yaml")
    drawn = types.SimpleNamespace(params=params, title=recipe.title)
    figure = getattr(analysis, f"draw_{draw}")({"norms": rows}, drawn)
    figure.canvas.draw()


def test_the_law_beside_the_curves_is_the_one_of_the_weights():
    depths = np.array([10, 1000])

    def law(weights, exponent, norm="output", **more):
        network = {"exponents": (1.0,), "depths": (3,), "seeds": 1, "repetitions": 1}
        return analysis._law(spec.Params(weights=weights, **(network | more)), exponent, depths, norm)

    for weights in ("uniform", "gaussian"):
        name, values = law(weights, 0.5)
        assert name.startswith("exact")
        assert values**2 == pytest.approx(mean_square_change(depths, 0.5))
    name, values = law("rbf", 1.0)
    assert name.startswith("first-order")
    assert values[1] == pytest.approx(0.301, abs=5e-4)
    assert law("rbf", 1.0, "gradient")[1][1] == pytest.approx(0.266, abs=5e-4)
    assert law("rbf_increments", 1.0)[1][1] == pytest.approx(0.199, abs=5e-4)
    assert law("fbm", 1.3, hurst=0.8)[1][1] == pytest.approx(10**-1.863, rel=2e-3)
    for scale in (0.05, 0.1414):  # sqrt of the sum over pairs is about as the root of the length scale
        found = law("rbf", 1.0, length_scale=scale)[1][1]
        assert found == pytest.approx(0.301 * math.sqrt(scale / 0.1), rel=0.04)
    assert law("rbf_and_gaussian", 1.0, rough_share=0.0)[1] == pytest.approx(law("rbf", 1.0)[1])
    mixed = law("rbf_and_gaussian", 1.0, rough_share=1.0)
    assert mixed[1] == pytest.approx(np.sqrt(depths * depths**-2.0 / 2))  # independent layers
    assert law("rbf", 0.5)[0] == ""  # nothing to first order: these networks explode
    assert law("gaussian", 0.5, activation="tanh")[0] == ""
