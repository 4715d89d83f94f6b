"""neis/zero-variance: weights by scipy's quadrature, the flow on the square by autograd, the measures."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from scipy import integrate, special, stats

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import Context
from resodectl.families.neis.cosine_square import CosineField, log_uniform
from resodectl.families.neis.zero_variance import analysis, spec
from resodectl.families.neis.zero_variance.simulation import all_weights, flow_of, in_each_cell, rotation_log_weights
from resodectl.numerics.sampling.flows import infinite_log_weights, log_weights
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

MODES = {"kind": "mixture", "weights": (0.3, 0.7), "centres": ((2.0,), (-1.5,)), "variances": ((0.2,), (0.3,))}
RATIO = 0.3 * 0.2**0.5 + 0.7 * 0.3**0.5
SETTINGS = {"modes": MODES, "dim": 3, "scale": 0.5, "shift": 1.0, "amplitude": 0.9, "distance": 3.0, "spread": 0.2}


def point(field: str, speed: float = 1.0, steps: int = 100, samples: int = 16) -> spec.Point:
    return spec.Point(field=field, speed=speed, steps=steps, samples=samples, dtype="float64", **SETTINGS)


def weights(rows: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return rows["weights"].set_index(["method", "ablation"])


def context(*seeds: int) -> Context:
    return Context(seeds, torch.device("cpu"), torch.float64)


def target(x: float) -> float:
    return sum(w * math.exp(-((x - m) ** 2) / (2 * v)) for w, m, v in ((0.3, 2.0, 0.2), (0.7, -1.5, 0.3)))


def constant_weight(x: float, speed: float) -> float:
    """A of the constant velocity with t- = -1/2, by quadrature and the normal distribution function."""

    def term(t: float) -> float:
        ends = stats.norm.cdf([x + speed * (t - 0.5), x + speed * (t + 0.5)])
        return target(x + speed * t) * speed / (math.sqrt(2 * math.pi) * (ends[1] - ends[0]))

    return integrate.quad(term, -0.5, 0.5, limit=200, epsabs=1e-12)[0]


def test_the_weights_of_a_constant_velocity_are_those_of_quadrature() -> None:
    flow = flow_of(point("constant", 3.0, steps=400, samples=4), context(2))
    found = all_weights(flow, 400)["int", "none"].exp()[0]
    assert flow.log_ratio == pytest.approx(math.log(RATIO))
    assert found.tolist() == pytest.approx([constant_weight(x.item(), 3.0) for x in flow.x[0, :, 0]], rel=1e-4)


@pytest.mark.parametrize(("speed", "variance"), [(1.0, 2.036), (2.0, 0.8243), (5.0, 0.04327)])
def test_the_variances_of_a_constant_velocity_are_those_that_the_recipe_states(speed: float, variance: float) -> None:
    flow = flow_of(point("constant", speed), context(0))
    grid = torch.linspace(-8, 8, 2001, dtype=torch.float64)
    mass = (-(grid**2) / 2).exp() / (-(grid**2) / 2).exp().sum()
    ratios = all_weights(flow._replace(x=grid[None, :, None]), 100)["int", "none"].exp()[0] / RATIO
    mean = (mass * ratios).sum().item()
    assert mean == pytest.approx(1.0, abs=1e-4)
    assert (mass * ratios**2).sum().item() - mean**2 == pytest.approx(variance, rel=2e-3)


def test_the_variance_on_the_square_is_the_one_that_the_recipe_states() -> None:
    middles = (torch.arange(64, dtype=torch.float64) + 0.5) / 128  # a quarter of the square; all are alike
    grid = torch.stack(torch.meshgrid(middles, middles, indexing="ij"), -1).reshape(1, -1, 2)
    found = all_weights(flow_of(point("square", 10.0), context(0))._replace(x=grid), 100)
    expected = {"none": (1.0, 0.0361), "double-divergence": (0.9505, 0.0292), "fixed-window": (1.0, 0.0194)}
    for ablation, (mean, variance) in expected.items():
        ratios = found["int", ablation].exp()
        assert ratios.mean().item() == pytest.approx(mean, abs=1e-3)
        assert ratios.var(correction=0).item() == pytest.approx(variance, rel=0.01)


def test_all_weights_are_those_of_the_estimators_along_paths_of_their_own() -> None:
    flow = flow_of(point("gaussian", 1.5, steps=40), context(0, 1))
    found = all_weights(flow, 40)
    assert all(of.shape == (2, 16) for of in found.values())
    finite = log_weights(flow.velocity, flow.target, flow.x, 40, start=-0.5, base=flow.base)
    torch.testing.assert_close(found["int", "none"], finite)
    one_sided = log_weights(flow.velocity, flow.target, flow.x, 40, start=0.0, base=flow.base)
    torch.testing.assert_close(found["int", "one-sided"], one_sided)
    infinite = infinite_log_weights(flow.velocity, flow.target, flow.x, 40, 1.0, flow.base)
    torch.testing.assert_close(found["infinite", "none"], infinite)
    half = infinite_log_weights(flow.velocity, flow.target, flow.x, 20, 0.5, flow.base)
    torch.testing.assert_close(found["int", "fixed-window"], half)
    full = log_weights(flow.velocity, flow.target, flow.x, 40, start=-0.5, base=lambda x: -x.square().sum(-1))
    torch.testing.assert_close(found["int", "full-base"], full)
    assert not torch.allclose(found["int", "no-jacobian"], finite)
    assert not torch.allclose(found["int", "double-divergence"], finite)


def test_between_gaussians_the_infinite_weight_is_the_ratio_of_their_volumes() -> None:
    found = weights(simulated("neis/zero-variance", point("gaussian", 14.0, steps=280), (0, 1)))
    assert found.loc[("infinite", "none"), "largest_error"].max() < 1e-6
    assert found.loc[("int", "none"), "relative_variance"].max() < 1e-12


def test_a_fast_constant_velocity_gives_the_ratio_to_the_last_digits() -> None:
    found = weights(simulated("neis/zero-variance", point("constant", 20.0), (0,)))
    assert found.loc[[("int", "none"), ("infinite", "none")], "largest_error"].max() < 1e-11


def test_the_cosine_field_is_the_gradient_of_a_potential_with_its_divergence_and_no_flux_through_the_walls() -> None:
    field, x = CosineField(3.0, 0.9), torch.rand(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def potential(place: torch.Tensor) -> torch.Tensor:
        return 3.0 * 0.9 / (8 * math.pi**2) * (2 * math.pi * place).cos().prod()

    torch.testing.assert_close(field(x), torch.stack([torch.func.grad(potential)(place) for place in x]))
    traces = torch.autograd.functional.jacobian(lambda place: field(place).sum(0), x).diagonal(dim1=0, dim2=2).sum(1)
    torch.testing.assert_close(field.divergence(x), traces)
    torch.testing.assert_close(traces, 3.0 * (field.log_density(x).exp() - 1))
    walls = torch.tensor([[0.0, 0.3], [1.0, 0.3], [0.3, 0.0], [0.3, 1.0]], dtype=torch.float64)
    assert field(walls)[[0, 1, 2, 3], [0, 0, 1, 1]].abs().max() < 1e-15
    assert torch.equal(log_uniform(x), torch.zeros(7, dtype=torch.float64))


def test_vanilla_sampling_on_the_square_has_the_variance_of_the_density() -> None:
    x = in_each_cell(context(0), 64)
    assert CosineField(1.0, 0.9).log_density(x).exp().var().item() == pytest.approx(0.81 / 4, rel=0.01)


def test_one_sample_falls_in_each_cell_of_the_square() -> None:
    found = in_each_cell(context(3, 5), 4)
    assert found.shape == (2, 16, 2)
    for places in found:
        assert sorted(map(tuple, (places * 4).floor().int().tolist())) == [(i, j) for i in range(4) for j in range(4)]
    assert not torch.equal(found[0], found[1])


def test_the_weights_of_a_turn_depend_on_the_radius_by_the_bessel_function() -> None:
    radius = np.array([0.1, 1.0, 3.0])
    by_scipy = special.iv(0, 3 * radius / 0.2) * np.exp(-(radius**2 + 9) / 0.4 + radius**2 / 2)
    x = torch.from_numpy(radius[:, None] * np.array([[0.6, 0.8]]))
    assert rotation_log_weights(x, 3.0, 0.2).exp().numpy() == pytest.approx(by_scipy, rel=1e-12)
    moments = [
        integrate.quad(lambda r, k=k: math.exp(k * log_weight(r) - r**2 / 2) * r, 0, 12, limit=200)[0] for k in (1, 2)
    ]
    assert moments[0] == pytest.approx(0.2, rel=1e-6)
    assert moments[1] / 0.04 - 1 == pytest.approx(32.0618, rel=1e-5)


def log_weight(r: float) -> float:
    return rotation_log_weights(torch.tensor([r, 0.0], dtype=torch.float64), 3.0, 0.2).item()


def test_oracles_see_a_wrong_base_and_a_coarse_path() -> None:
    rows = simulated("neis/zero-variance", point("rotation", steps=50, samples=8), (0, 1))["weights"]
    errors = rows.set_index(["method", "ablation"])["largest_error"]
    assert errors["int", "none"].max() < 1e-3 < 1 < errors["int", "full-base"].min()
    assert errors["ode", "none"].max() < 1e-3
    values = rows[(rows["method"] == "int") & (rows["ablation"] == "none")].set_index("seed")
    assert (values["relative_mean"] > 0).all()
    assert (values["relative_variance"] < 7 * values["relative_mean"] ** 2).all()  # 8 samples
    still = simulated("neis/zero-variance", point("rest", steps=10, samples=8), (0, 1))["weights"]
    assert still[still["ablation"] == "none"]["largest_error"].max() < 1e-12


def test_a_mixture_off_the_line_is_refused() -> None:
    ladder = {"speeds": (1.0,), "steps": 4}
    good = SETTINGS | {"constant": ladder, "gaussian": ladder, "square": ladder, "oracle_steps": (4,)}
    good |= {"ladder_samples": 4, "oracle_samples": 4, "seeds": 1}
    assert [of.field for of in spec.cells(spec.Params(**good))] == [*spec.LADDERS, *spec.ORACLES]
    plane = MODES | {"centres": ((2.0, 0.0), (-1.5, 0.0)), "variances": ((0.2, 1.0), (0.3, 1.0))}
    for bad in ({"modes": plane}, {"constant": ladder | {"steps": 5}}, {"scale": 1.0}):
        with pytest.raises(ValidationError):
            spec.Params(**(good | bad))


@pytest.mark.parametrize(
    ("error", "judgement"), [(1e-7, "holds"), (1e-3, "fails"), (0.0, "holds"), (math.nan, "unclear")]
)
def test_errors_are_judged_by_their_logarithm(error: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "largest_error": [error, error / 10] * 2})
    found = analysis.measure_log10_largest_error(rows)
    assert judge(found, Band(low=None, high=-6)) == judgement
    if error > 0:
        assert found.value == pytest.approx(math.log10(error))


@pytest.mark.parametrize(("shift", "judgement"), [(0.0, "holds"), (0.2, "fails")])
def test_means_and_variances_are_averaged_over_seeds(shift: float, judgement: str) -> None:
    values = [0.99 + shift, 1.01 + shift, 1.0 + shift]
    rows = pd.DataFrame({"seed": range(3), "relative_mean": values, "relative_variance": values})
    for measure in (analysis.measure_relative_mean, analysis.measure_relative_variance):
        assert measure(rows).value == pytest.approx(1.0 + shift)
        assert judge(measure(rows), Band(low=0.9, high=1.1)) == judgement


@pytest.mark.parametrize(("variances", "ratio"), [((8.0, 2.0, 1.0), 0.5), ((8.0, 1.0, 0.9), 0.9)])
def test_the_slowest_fall_of_the_variance_counts(variances: tuple[float, ...], ratio: float) -> None:
    rows = pd.DataFrame({"seed": [0] * 3 + [1] * 3, "speed": [1.0, 2.0, 5.0] * 2, "relative_variance": variances * 2})
    assert analysis.measure_largest_ratio(rows.sample(frac=1, random_state=0)).value == pytest.approx(ratio)
    assert math.isnan(analysis.measure_largest_ratio(rows[rows["speed"] == 1.0]).value)


@pytest.mark.parametrize(("order", "judgement"), [(-4.0, "holds"), (-2.0, "fails")])
def test_the_order_is_the_slope_in_the_steps(order: float, judgement: str) -> None:
    steps = np.array([100, 200])
    rows = pd.concat(
        [pd.DataFrame({"seed": s, "steps": steps, "largest_error": s + 1.0 * steps**order}) for s in (0, 0)]
    )
    rows = pd.concat([rows, rows.assign(seed=1, largest_error=3 * rows["largest_error"])])
    assert judge(analysis.measure_order(rows), Band(low=-4.5, high=-3.5)) == judgement


def test_the_figure_has_the_ladders_and_the_rotation() -> None:
    recipe = load.load(shipped()["neis/cao2022-zero-variance"], load.Request(profile="smoke"))
    cells = [cell for cell in spec.cells(recipe.params) if cell.field != "rest"]
    logs = [simulated("neis/zero-variance", cell, (0, 1)) for cell in cells]
    log = {kind: pd.concat([rows[kind] for rows in logs if kind in rows]) for kind in spec.LOG}
    figure = analysis.draw_zero_variance(log, recipe)
    assert len(figure.axes) == 4
    assert [ax.get_yscale() for ax in figure.axes] == ["log", "log", "linear", "log"]
    assert {line.get_label() for line in figure.axes[0].lines} >= set(analysis.NAMES.values())
