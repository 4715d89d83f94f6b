"""scaling/hurst-map: the maps against plain loops and exact moments, the measures on logs with known boundaries."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.selecting import select
from resodectl.claims.verdict import judge, judge_control
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import Context, stream
from resodectl.families.scaling.grids import Grid
from resodectl.families.scaling.hurst_map import analysis, simulation, spec
from resodectl.families.scaling.hurst_map.simulation import summary
from resodectl.numerics.laws.residual_norms import critical_exponent, mean_square_change
from resodectl.numerics.weights.processes import entries
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

RECIPE = "scaling/marion2022-hurst-map"
SMALL = {"betas": Grid(first=0.2, last=1.0, count=3), "depth": 6, "dim": 3, "pixels": 5, "inputs": 2, "hurst": 0.7}


def logged(seeds=(3, 7), **changes) -> pd.DataFrame:
    return simulated("scaling/hurst-map", spec.Point(**(SMALL | changes)), seeds)["norms"]


def plain_norms(seed: int, beta: float, hurst: float, architecture: str) -> dict[str, list[float]]:
    """|h_L - h_0| / |h_0| and |p_0 - p_L| / |p_L| of each input through one network, by autograd."""
    depth, dim, pixels, inputs = 6, 3, 5, 2

    def uniform(label: str, shape: tuple[int, ...], fan_in: int) -> torch.Tensor:
        return torch.from_numpy((2 * stream(seed, "weights", label).random(shape) - 1) * math.sqrt(3 / fan_in))

    v, theta = (
        entries("fbm", [stream(seed, "weights", name)], depth, (1, dim, dim), hurst)[:, 0, 0] / math.sqrt(dim)
        for name in ("V", "Theta")
    )
    first, last = uniform("A", (inputs, dim, pixels), pixels), uniform("B", (dim, inputs), dim)
    x = torch.from_numpy(stream(seed, "inputs").random((inputs, pixels)))
    found: dict[str, list[float]] = {"out": [], "grad": []}
    for i in range(inputs):
        start = (first[i] @ x[i]).requires_grad_()
        h = start
        for k in range(depth):
            h = h + depth**-beta * v[k] @ torch.relu(theta[k] @ h if architecture == "res-3" else h)
        h.retain_grad()
        ((last[:, i] @ h - 0.3) ** 2).backward()
        assert start.grad is not None
        assert h.grad is not None
        found["out"].append(((h - start).norm() / start.norm()).item())
        found["grad"].append(((start.grad - h.grad).norm() / h.grad.norm()).item())
    return found


@pytest.mark.parametrize(("hurst", "architecture"), [(0.2, "res-3"), (0.7, "res-3"), (0.7, "res-1")])
def test_all_exponents_and_draws_at_once_are_the_plain_loops_of_each(hurst: float, architecture: str) -> None:
    rows = logged(hurst=hurst, architecture=architecture)
    assert len(rows) == 6
    for _, row in rows.iterrows():
        for name, values in plain_norms(int(row["seed"]), row["beta"], hurst, architecture).items():
            assert row[f"log10_{name}"] == pytest.approx(np.log10(np.maximum(values, 1e-16)).mean(), rel=1e-9)
            assert row[f"log10_rms_{name}"] == pytest.approx(np.log10(np.mean(np.square(values))) / 2, rel=1e-9)
            assert row[f"capped_{name}"] == 0


def test_first_and_last_matrices_have_entries_of_variance_one_over_the_fan_in() -> None:
    """The relative changes do not depend on their size, so they are read before the layers."""
    point = spec.Point(**(SMALL | {"inputs": 4000}))
    context = Context((3,), torch.device("cpu"), torch.float64)
    h0, pL = simulation._first_states(point, context), simulation._last_gradients(point, context)
    assert h0.shape == pL.shape == (1, 3, 4000)
    assert h0.square().mean().item() == pytest.approx(1 / 3, rel=0.05)  # E x^2 of pixels that are uniform on [0, 1]
    assert pL.square().mean().item() == pytest.approx(1 / 3, rel=0.05)  # of three dimensions
    assert pL.abs().max().item() == pytest.approx(1, rel=1e-3)


def test_a_draw_is_the_same_in_every_block() -> None:
    alone, together = logged(seeds=(7,)), logged(seeds=(3, 7))
    pd.testing.assert_frame_equal(alone, together[together["seed"] == 7].reset_index(drop=True), rtol=1e-12)


def test_independent_layers_have_the_exact_mean_square_in_both_directions() -> None:
    rows = logged(range(400), hurst=0.5, depth=8, dim=4, inputs=4, betas=Grid(first=0.5, last=1.0, count=3))
    for beta, own in rows.groupby("beta"):
        exact = float(mean_square_change(8, beta))
        for name in ("out", "grad"):
            squares = 10 ** (2 * own[f"log10_rms_{name}"])
            assert abs(squares.mean() - exact) < 4 * squares.std() / math.sqrt(len(squares))
            assert squares.std() / math.sqrt(len(squares)) < 0.1 * exact


def test_overflow_is_a_capped_number_and_counted() -> None:
    changes = torch.tensor(
        [[0.0, 0.0], [1e-2, 1e2], [1e2, 1e20], [1.0, torch.inf], [torch.nan, torch.inf]], dtype=torch.float64
    )
    found = summary(changes, "out", cap=16)
    assert found["log10_out"].tolist() == [-16, 0, 9, 8, 16]
    assert found["log10_rms_out"].tolist() == pytest.approx([-16, math.log10(5000) / 2, 16, 16, 16])
    assert found["capped_out"].tolist() == [0, 0, 0.5, 0.5, 1]


def test_networks_that_overflow_float32_are_results() -> None:
    rows = logged(depth=400, hurst=0.97, dtype="float32", betas=Grid(first=0.0, last=1.3, count=2), dim=8)
    assert (rows.loc[rows["beta"] == 0, "capped_out"] == 1).all()
    assert (rows.loc[rows["beta"] == 1.3, "capped_out"] == 0).all()
    assert np.isfinite(rows.drop(columns="architecture").to_numpy(float)).all()


def test_impossible_grids_are_refused_in_a_sentence() -> None:
    rest = {name: SMALL[name] for name in ("betas", "depth", "dim", "inputs")} | {"seeds": 1}
    with pytest.raises(ValidationError, match="between 0 and 1, not at 1"):
        spec.Params(hursts=Grid(first=0.1, last=1.0, count=3), **rest)
    with pytest.raises(ValidationError, match="between 0 and 1, not at 0"):
        spec.Params(hursts=Grid(first=0.0, last=0.9, count=3), **rest)
    with pytest.raises(ValidationError, match=r"must be above 0\.9, not 0\.5"):
        Grid(first=0.9, last=0.5, count=3)


def law(shift: float = 0.0, factor: float = 1.0) -> pd.DataFrame:
    """The log of draws that obey the continued first-order law up to 2 %, with boundaries shifted and norms scaled."""
    recipe = load.load(shipped()[RECIPE])
    depth, dim = recipe.params.depth, recipe.params.dim
    hursts, betas = (np.array(grid.values()) for grid in (recipe.params.hursts, recipe.params.betas))
    table = pd.MultiIndex.from_product([hursts, betas, range(4)], names=["hurst", "beta", "seed"]).to_frame(index=False)
    noise = 0.01 * np.array([-1.0, 0.0, 1.0, 0.5])[table["seed"]]
    for norm, name in analysis.SHORT.items():
        one = {hurst: analysis.first_order(hurst, 0.0, depth, dim, norm) ** 2 for hurst in hursts}
        exponent = depth ** (-2 * (table["beta"] - shift)) * table["hurst"].map(one)
        with np.errstate(over="ignore"):
            logs = np.minimum(np.log10(np.expm1(exponent)) / 2 + math.log10(factor) + noise, 16)
        table[f"log10_{name}"] = table[f"log10_rms_{name}"] = logs
    return table.assign(depth=depth, dim=dim, architecture="res-3")


def verdicts(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    found = []
    for claim in load.load(shipped()[RECIPE]).claims:
        measure, band = getattr(analysis, f"measure_{claim.claim}"), claim.band("laptop")
        estimates = [measure(select(rows, claim.where | more), **claim.options) for more in ({}, claim.control.where)]
        found.append((claim.claim, judge(estimates[0], band), judge_control(estimates[1], band)))
    return found


def test_a_log_that_obeys_the_law_keeps_all_claims_and_breaks_all_controls() -> None:
    for claim, judgement, control in verdicts(law()):
        assert (judgement, control) == ("holds", "breaks"), claim


def test_boundaries_that_are_elsewhere_and_norms_that_are_larger_fail() -> None:
    assert {judgement for claim, judgement, _ in verdicts(law(shift=0.1)) if claim == "boundary"} == {"fails"}
    larger = [judgement for claim, judgement, _ in verdicts(law(factor=1.3)) if claim == "log10_of_first_order"]
    assert set(larger) == {"fails"}


def test_a_boundary_is_found_between_exponents_and_is_unknown_outside_of_the_map() -> None:
    rows = pd.DataFrame({"hurst": 0.5, "beta": np.arange(0.0, 1.25, 0.25), "seed": 0})
    rows["log10_out"] = 4 * (0.6 - rows["beta"])
    assert analysis.crossings(rows, "output").tolist() == pytest.approx([0.6])
    for shift in (-3.0, 3.0):
        assert math.isnan(analysis.crossings(rows.assign(log10_out=rows["log10_out"] + shift), "output").iloc[0])


def test_the_lag_is_that_of_equal_boundaries_where_both_norms_are_one() -> None:
    rows = law()
    same = rows.assign(log10_grad=rows["log10_out"])
    found = analysis.measure_lag(same)
    assert found.value == pytest.approx(0.0, abs=1e-12)
    assert judge(found, Band.model_validate([0.05, 0.17])) == "fails"


def test_a_boundary_that_falls_somewhere_does_not_rise_everywhere() -> None:
    rows = select(law(), {"hurst": (0.5, 0.575, 0.65)})
    shifted = rows.assign(beta=rows["beta"] - np.where(rows["hurst"] > 0.6, 0.2, 0.0))
    assert judge(analysis.measure_smallest_rise(rows, norm="output"), Band(low=0, high=None)) == "holds"
    assert judge(analysis.measure_smallest_rise(shifted, norm="output"), Band(low=0, high=None)) == "fails"
    alone = select(rows, {"hurst": 0.5})
    assert judge(analysis.measure_smallest_rise(alone, norm="output"), Band(low=0, high=None)) == "unclear"


def test_the_continued_law_meets_the_exact_boundary_of_independent_layers() -> None:
    (found,) = analysis.continued_boundary(np.array([0.5]), 1000, 40, "output")
    assert found == pytest.approx(float(critical_exponent(1000)), abs=2e-4)


@pytest.mark.parametrize(
    ("hurst", "norm", "value"),
    [
        (0.2, "output", -2.601),
        (0.5, "output", -2.551),
        (0.8, "output", -1.863),
        (0.2, "gradient", -2.533),
        (0.8, "gradient", -2.217),
        (0.95, "gradient", -1.428),
    ],
)
def test_the_first_order_law_has_its_known_values(hurst: float, norm: analysis.Norm, value: float) -> None:
    assert math.log10(analysis.first_order(hurst, 1.3, 1000, 40, norm)) == pytest.approx(value, abs=6e-4)


@pytest.mark.parametrize("hurst", [0.35, 0.65, 0.8])
def test_without_an_inner_matrix_the_boundary_is_that_of_the_path_below_one_half_too(hurst: float) -> None:
    """res-1 at 1000 layers of width 40: 0.326, 0.626 and 0.776."""
    boundary = hurst - math.log(2 * math.log(2)) / (2 * math.log(1000))
    (law,) = analysis.continued_boundary(np.array([hurst]), 1000, 40, "output", "res-1")
    assert law == pytest.approx(boundary)
    betas = Grid(first=boundary - 0.06, last=boundary + 0.06, count=4)
    rows = logged((0, 1, 2), hurst=hurst, architecture="res-1", depth=1000, dim=40, betas=betas, inputs=4)
    assert analysis.measure_boundary(rows, norm="output").value == pytest.approx(boundary, abs=0.03)


@pytest.mark.parametrize("norm", ["output", "gradient"])
def test_without_an_inner_matrix_the_first_order_law_is_that_of_the_path(norm: analysis.Norm) -> None:
    """E r^2 = alpha^2 L^2H / 2, which deep and weakly scaled networks obey."""
    assert analysis.first_order(0.8, 1.3, 100, 6, norm, "res-1") ** 2 == pytest.approx(100 ** (1.6 - 2.6) / 2)
    rows = logged(tuple(range(20)), architecture="res-1", hurst=0.8, depth=30, dim=20, inputs=20)
    rows = rows.assign(architecture="res-1", depth=30, dim=20)
    found = analysis.measure_log10_of_first_order(
        select(rows.assign(beta=rows["beta"] * 1.0), {"beta": 1.0}), norm=norm
    )
    assert found.value == pytest.approx(0.0, abs=0.08)


def test_the_map_of_networks_without_an_inner_matrix_is_drawn() -> None:
    recipe = load.load(shipped()[RECIPE], load.Request(sets=("architecture=res-1", "depth=50")))
    assert len(analysis.draw_maps({"norms": law().assign(architecture="res-1")}, recipe).axes) == 3


def test_the_map_is_drawn_with_and_without_boundaries_on_it() -> None:
    recipe = load.load(shipped()[RECIPE])
    for rows in (law(), law(shift=5.0), select(law(), {"seed": 0})):
        figure = analysis.draw_maps({"norms": rows}, recipe)
        assert len(figure.axes) == 3
