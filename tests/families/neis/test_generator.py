"""neis/generator: the map against closed forms, quadrature and interpolation on polynomials, bins, the measures."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from scipy import integrate

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.families.neis.cosine_square import CosineField
from resodectl.families.neis.generator import analysis, spec
from resodectl.families.neis.generator.simulation import (
    VARIANTS,
    Contraction,
    _count,
    _merge,
    bin_masses,
    log_normal,
)
from resodectl.families.neis.planes import GridField, plane_field, three_bumps
from resodectl.families.neis.time_map import Wrong, cumulative, hermite, mapped
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

LIKE = torch.empty(0, dtype=torch.float64)
SETTINGS = {"scale": 0.5, "shift": 1.0, "amplitude": 0.9, "grid": 64, "bins": 6, "side": 5, "lines": 3, "weights": 8}


def point(case: str, **changes: object) -> spec.Point:
    values = {"horizon": 20, "steps": 8, "points": 200, "dtype": "float64"} | SETTINGS
    return spec.Point(case=case, **(values | changes))


def places(count: int) -> torch.Tensor:
    return torch.rand(count, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def log_uniform(x: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(x[..., 0])


@pytest.mark.parametrize(("dim", "scale", "shift"), [(1, 0.5, 1.0), (3, 0.7, -0.4)])
def test_between_gaussians_the_map_is_affine_and_takes_the_logarithm_of_the_scale(
    dim: int, scale: float, shift: float
) -> None:
    x = 2 * places(20 * dim).reshape(-1, dim)[:20] - 1
    flow = Contraction(scale, shift)
    found = mapped(flow, flow.log_density, log_normal, x, 60, 20, {"none": Wrong()})["none"]
    torch.testing.assert_close(found.places, scale * x + shift, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.times, torch.full((20,), math.log(scale), dtype=torch.float64), rtol=0, atol=1e-6)
    total = integrate.quad(lambda y: flow.log_density(torch.tensor([y])).exp().item(), -9, 9)[0]
    assert total == pytest.approx(1.0, abs=1e-6)


def test_where_the_divergence_is_the_difference_of_densities_the_jacobian_is_an_integral_of_itself() -> None:
    """int F^1 up to tau = int F^0 up to 0 means J_tau = int_tau^0 J ds; solved by scipy along its own path."""
    field, x = CosineField(1.0, 0.9), torch.tensor([[0.2, 0.37]], dtype=torch.float64)
    found = mapped(field, field.log_density, log_uniform, x, 20, 40, {"none": Wrong()})["none"]

    def backwards(_: float, state: np.ndarray) -> np.ndarray:
        place = torch.from_numpy(state[:2].copy())
        return np.array([*(-field(place)), -field.divergence(place).item(), math.exp(state[2])])

    def reached(_: float, state: np.ndarray) -> float:
        return math.exp(state[2]) - state[3]

    reached.terminal = True  # type: ignore[attr-defined]
    solved = integrate.solve_ivp(backwards, (0, 10), [0.2, 0.37, 0, 0], events=reached, rtol=1e-10, atol=1e-12)
    assert found.times.item() == pytest.approx(-solved.t_events[0][0], rel=1e-5)
    assert found.places[0].tolist() == pytest.approx(solved.y_events[0][0][:2].tolist(), rel=1e-5)


def test_wrong_variants_are_those_of_wrong_flows_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    field, x = CosineField(1.0, 0.9), places(10)
    found = mapped(field, field.log_density, log_uniform, x, 8, 12, VARIANTS)
    short = mapped(field, field.log_density, log_uniform, x, 8, 1, {"none": Wrong()})["none"]
    torch.testing.assert_close(found["short"].places, short.places, equal_nan=True)
    doubled = [found[name].times for name in ("none", "no-jacobian", "double-divergence")]
    assert not any(torch.allclose(doubled[0], other) for other in doubled[1:])
    monkeypatch.setattr("resodectl.families.neis.time_map.CHUNK", 3)
    again = mapped(field, field.log_density, log_uniform, x, 8, 12, VARIANTS)
    for name in VARIANTS:
        torch.testing.assert_close(found[name].places, again[name].places, equal_nan=True)


def test_a_flow_of_the_wrong_sign_reaches_nothing() -> None:
    class Reversed(CosineField):
        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return -super().__call__(x)

    field = Reversed(1.0, 0.9)
    found = mapped(field, field.log_density, log_uniform, places(10), 8, 12, {"none": Wrong()})["none"]
    assert found.places.isnan().all()
    assert found.times.isnan().all()


def test_cubics_are_integrated_and_interpolated_exactly() -> None:
    t = torch.linspace(0, 2, 9, dtype=torch.float64)
    for power in range(4):
        exact = t ** (power + 1) / (power + 1)
        torch.testing.assert_close(cumulative(t**power, 0.25), exact)
    with pytest.raises(ValueError, match="four nodes"):
        cumulative(t[:3], 0.25)
    share = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)

    def cubic(s: torch.Tensor) -> torch.Tensor:
        return 1 - 2 * s + 3 * s**2 + 4 * s**3

    ends = [torch.tensor(value, dtype=torch.float64) for value in (1.0, -2.0, 6.0, 16.0)]
    value, slope = hermite(share, *ends)
    torch.testing.assert_close(value, cubic(share))
    torch.testing.assert_close(slope, -2 + 6 * share + 12 * share**2)


def test_the_field_on_the_grid_is_the_closed_form_between_its_points() -> None:
    field, x = plane_field("square", 0.9, 256, LIKE), places(50)
    exact = CosineField(1.0, 0.9)
    torch.testing.assert_close(field(x.reshape(5, 10, 2)).reshape(50, 2), exact(x), rtol=0, atol=2e-5)
    torch.testing.assert_close(field.divergence(x), exact.divergence(x))
    torch.testing.assert_close(field.log_density(x), exact.log_density(x))


def test_the_first_coordinate_of_the_field_is_the_slope_along_the_first_axis() -> None:
    """div b by central differences is rho1 - 1 for bumps that are not symmetric, on the torus and with walls."""
    x = 0.05 + 0.9 * places(30)
    for name in ("torus", "walls"):
        field = plane_field(name, 0.9, 512, LIKE)
        h = 1 / 512
        steps = h * torch.eye(2, dtype=torch.float64)
        slopes = [(field(x + step) - field(x - step))[:, k] / (2 * h) for k, step in enumerate(steps)]
        torch.testing.assert_close(sum(slopes), field.divergence(x), rtol=0, atol=0.02)


def test_the_torus_is_periodic_and_walls_let_nothing_through() -> None:
    x = places(20)
    torus, walls = (plane_field(name, 0.9, 64, LIKE) for name in ("torus", "walls"))
    for shift in ([1.0, 0.0], [-2.0, 3.0]):
        torch.testing.assert_close(torus(x + torch.tensor(shift, dtype=torch.float64)), torus(x))
    on_walls = torch.tensor([[0.0, 0.3], [1.0, 0.7], [0.4, 0.0], [0.8, 1.0]], dtype=torch.float64)
    assert walls(on_walls)[[0, 1, 2, 3], [0, 0, 1, 1]].abs().max() < 1e-12
    assert isinstance(torus, GridField)


def test_the_bumps_have_integral_one_and_bins_add_up() -> None:
    masses = bin_masses(three_bumps, 6)
    assert masses.sum().item() == pytest.approx(1.0, rel=1e-9)
    by_scipy = integrate.dblquad(
        lambda y, x: three_bumps(torch.tensor([x, y], dtype=torch.float64)).item(), 1 / 6, 2 / 6, 3 / 6, 4 / 6
    )[0]
    assert masses[1, 3].item() == pytest.approx(by_scipy, rel=1e-9)
    torch.testing.assert_close(_merge(masses)[0, 1], masses[:3, 3:].sum())


def test_places_are_counted_in_their_bins_and_unmapped_ones_in_none() -> None:
    found = _count(torch.tensor([[0.1, 0.9], [0.1, 0.95], [1.0, 0.0], [math.nan, math.nan]]), 3)
    assert found.tolist() == [[0, 0, 2], [0, 0, 0], [1, 0, 0]]
    assert _count(torch.tensor([[0.1], [0.5], [0.6]]), 2).tolist() == [1, 2]


def test_on_the_line_the_right_map_alone_gives_samples_of_the_target() -> None:
    rows = simulated("neis/generator", point("line", steps=40, points=500, bins=12), (0, 1))
    fit = rows["fit"].groupby("ablation")[["chi_square", "map_error", "unmapped"]].agg(["min", "max"])
    assert fit.loc["none", ("map_error", "max")] < 1e-3
    assert 0.5 < fit.loc["none", ("chi_square", "min")] <= fit.loc["none", ("chi_square", "max")] < 1.7
    assert fit.loc["no-jacobian", ("chi_square", "min")] > 10
    assert fit.loc["short", ("unmapped", "min")] > 0.2
    errors = rows["map"].groupby("ablation")["jacobian_error"].median()
    assert errors["none"] < 0.01 < 0.1 < errors.drop("none").min()
    assert rows["weights"].groupby("ablation")["largest_error"].max()["none"] < 0.05
    bins = rows["histogram"]
    assert bins["expected"].sum() == pytest.approx(1000, rel=1e-3)
    assert bins["count"].sum() == pytest.approx(1000, abs=2)


def test_in_the_plane_the_right_map_alone_turns_the_uniform_density_into_the_target() -> None:
    rows = simulated("neis/generator", point("torus", grid=256), (0, 1))
    errors = rows["map"].groupby("ablation")["jacobian_error"].median()
    assert errors["none"] < 0.01 < 0.1 < errors.drop("none").min()
    weights = rows["weights"].groupby("ablation")["largest_error"].max()
    assert weights["none"] < 0.01 < 0.1 < weights["no-jacobian"]
    bins = rows["histogram"]
    assert len(bins) == 36
    assert bins["count"].sum() == 400
    assert bins["expected"].sum() == pytest.approx(400)
    heaviest = bins.sort_values("expected").iloc[-1]
    assert (heaviest["x"], heaviest["y"]) == pytest.approx((0.25, 0.25))
    assert rows["lines"].groupby("line").size().tolist() == [161] * 3


def test_paths_that_are_too_long_are_refused() -> None:
    good = SETTINGS | {"horizon": 4, "line_steps": 4, "plane_steps": 4, "planes": ("torus",)}
    good |= {"line_points": 100, "plane_points": 100, "seeds": 1}
    assert [(of.case, of.steps) for of in spec.cells(spec.Params.model_validate(good))] == [("line", 4), ("torus", 4)]
    for bad in ({"horizon": 1000, "plane_steps": 50}, {"bins": 7}, {"grid": 65}, {"planes": ("line",)}):
        with pytest.raises(ValidationError):
            spec.Params.model_validate(good | bad)


@pytest.mark.parametrize(("level", "judgement"), [(1.0, "holds"), (1.6, "fails")])
def test_chi_square_is_averaged_over_seeds(level: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": range(4), "chi_square": np.array([0.9, 1.1, 1.05, 0.95]) * level})
    assert analysis.measure_chi_square(rows).value == pytest.approx(level)
    assert judge(analysis.measure_chi_square(rows), Band(low=0.65, high=1.35)) == judgement


@pytest.mark.parametrize(("error", "judgement"), [(1e-5, "holds"), (1e-3, "fails"), (math.nan, "unclear")])
def test_errors_of_maps_and_weights_are_judged_by_their_logarithm(error: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1], "map_error": [error, 1e-9, error], "largest_error": [error, 1e-9, error]})
    for measure in (analysis.measure_log10_map_error, analysis.measure_log10_largest_error):
        assert judge(measure(rows), Band(low=None, high=-4)) == judgement


@pytest.mark.parametrize(
    ("bad", "value", "judgement"), [(0, -3.0, "holds"), (4, -3.0, "holds"), (6, 0.0, "fails"), (100, 0.0, "fails")]
)
def test_the_jacobian_is_right_at_ninety_five_of_a_hundred_points(bad: int, value: float, judgement: str) -> None:
    errors = np.where(np.arange(100) < bad, math.nan, 1e-3)
    found = analysis.measure_log10_jacobian_error(pd.DataFrame({"jacobian_error": errors}))
    assert found.value == pytest.approx(value)
    assert judge(found, Band(low=None, high=-2)) == judgement


def test_the_figure_has_ten_panels() -> None:
    recipe = load.load(shipped()["neis/cao2022-generator"], load.Request(profile="smoke"))
    logs = [simulated("neis/generator", cell, (0, 1)) for cell in spec.cells(recipe.params)]
    log = {kind: pd.concat([rows[kind] for rows in logs if kind in rows]) for kind in spec.LOG}
    figure = analysis.draw_generator(log, recipe)
    assert len([ax for ax in figure.axes if ax.get_label() != "<colorbar>"]) == 10
