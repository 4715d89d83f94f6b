"""eos/quadratic: iterates against a plain loop on the loss itself, the lemmas by hand, the measures."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.eos.quadratic import analysis, spec
from resodectl.families.eos.quadratic.simulation import descend
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

START = (-8.26155305e-8, -1.24858279e-4)
NOTEBOOK = [0.39988, 0.0010007, 0.99249, 0.03054, 0.43003, 0.31648, 0.68141, 0.31858, 0.68139, 0.31861]


def logged(seeds: tuple[int, ...] = (0, 1, 2), **changes: object) -> dict[str, pd.DataFrame]:
    values = {"kind": "drawn", "start": START, "eigenvalues": (1.0, 0.4), "spread": 2.0, "along_first": 1.0}
    values |= {"radius": 1.0, "shown": 11, "steps": 300, "dtype": "float64"}
    return simulated("eos/quadratic", spec.Point(**(values | changes)), seeds)


def test_the_rescaled_iterates_are_those_of_normalised_descent_on_the_loss() -> None:
    """In a rotated basis, by x <- x - lr grad L / |grad L| with L = x^T A x / 2 and xt = A x / lr."""
    lr, eigenvalues = 0.03, torch.tensor([1.0, 0.7, 0.2], dtype=torch.float64)
    basis = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    matrix = basis @ torch.diag(eigenvalues) @ basis.T
    x = torch.tensor([0.05, -0.02, 0.04], dtype=torch.float64)
    path = descend((basis.T @ matrix @ x / lr).unsqueeze(0), eigenvalues, 40)
    for t in range(41):
        torch.testing.assert_close(basis @ path[t, 0], matrix @ x / lr, rtol=1e-9, atol=1e-10)
        slope = matrix @ x
        x = x - lr * slope / slope.norm()


def test_the_paper_s_start_gives_the_notebook_s_norms() -> None:
    rows = logged((5,), kind="given")["iterates"]
    assert rows["norm"].tolist()[1:] == pytest.approx(NOTEBOOK, abs=2e-5)
    assert analysis.measure_norm_error(rows, norms=NOTEBOOK).value < 2e-5


def test_a_start_is_drawn_from_its_seed_alone() -> None:
    alone, together = logged((2,)), logged((0, 1, 2))
    for kind, rows in together.items():
        own = rows[rows["seed"] == 2].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, alone[kind])
    first = alone["iterates"].iloc[0]
    drawn = 2.0 * stream(2, "start").standard_normal(2)
    assert (first["first"], first["second"]) == pytest.approx(tuple(drawn))


def test_iterates_are_listed_step_by_step_of_every_seed_beside_half_the_sharpness() -> None:
    rows = logged((3, 7), eigenvalues=(0.9, 0.4), shown=3)["iterates"]
    assert list(zip(rows["seed"], rows["step"], strict=True)) == [(seed, t) for seed in (3, 7) for t in range(3)]
    assert (rows["half_sharpness"] == 0.45).all()
    for seed, own in rows.groupby("seed"):
        x = 2.0 * stream(seed, "start").standard_normal(2)
        for row in own.itertuples():
            assert (row.first, row.second, row.norm) == pytest.approx((*x, np.linalg.norm(x)), rel=1e-12)
            x = x - np.array([0.9, 0.4]) * x / np.linalg.norm(x)


def test_growth_and_escape_are_those_of_a_plain_loop() -> None:
    found = logged((3,), eigenvalues=(1.0, 0.6, 0.3), radius=0.7)
    eigenvalues = np.array([1.0, 0.6, 0.3])
    x = 2.0 * stream(3, "start").standard_normal(3)
    path = [x]
    for _ in range(300):
        x = x - eigenvalues * x / np.linalg.norm(x)
        path.append(x)
    escape = 0.0
    for j in range(3):
        inside = False
        for x in path:
            tail = np.linalg.norm(x[j:]) / (0.7 * eigenvalues[j])
            inside |= tail <= 1
            escape = max(escape, tail if inside else 0.0)
    assert found["limits"]["escape"].item() == pytest.approx(escape)
    assert found["limits"]["pair_error"].item() == pytest.approx(
        abs(np.linalg.norm(path[-1]) + np.linalg.norm(path[-2]) - 1), abs=1e-12
    )
    for side, own in found["growth"].groupby("below"):
        times = [t for t in range(301) if (np.linalg.norm(path[t]) <= 0.5) == side]
        after = [abs(path[t + 1][0] / path[t][0]) for t in times if t < 300]
        between = [abs(path[b][0] / path[a][0]) for a, b in pairwise(times)]
        assert own["next"].item() == pytest.approx(min(after))
        assert own["restricted"].item() == pytest.approx(min(between))


def test_without_the_first_component_the_pair_adds_up_to_the_second_eigenvalue() -> None:
    limits = logged(along_first=0.0)["limits"]
    assert limits["pair_error"].to_numpy() == pytest.approx(1 - 0.4)
    assert limits["misalignment"].to_numpy() == pytest.approx(1.0)


@pytest.mark.parametrize(
    "bad", [{"eigenvalues": (0.4, 1.0)}, {"eigenvalues": (1.0, 1.0)}, {"start": (1.0, 1.0, 1.0)}, {"shown": 500}]
)
def test_impossible_settings_are_refused(bad: dict[str, object]) -> None:
    good = {"start": START, "eigenvalues": (1.0, 0.4), "drawn_eigenvalues": (1.0, 0.4), "steps": 100, "seeds": 2}
    spec.Params(**good)
    with pytest.raises(ValidationError):
        spec.Params(**(good | bad))


@pytest.mark.parametrize(("error", "judgement"), [(1e-12, "holds"), (1e-3, "fails"), (0.0, "holds")])
def test_errors_are_judged_by_their_logarithm(error: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": range(4), "pair_error": error, "misalignment": error})
    measures = (
        analysis.measure_log10_pair_error,
        analysis.measure_log10_pair_error_of_given,
        analysis.measure_log10_misalignment,
    )
    for measure in measures:
        assert measure(rows).value == pytest.approx(max(math.log10(error), -16) if error else -16)
        assert judge(measure(rows), Band(low=None, high=-8)) == judgement


@pytest.mark.parametrize(("worst", "judgement"), [(1.0, "holds"), (0.99, "fails"), (math.nan, "unclear")])
def test_growth_is_the_share_of_starts_that_never_fall(worst: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": range(4), "next": worst, "restricted": worst})
    for to in ("next", "restricted"):
        assert judge(analysis.measure_share_growing(rows, to=to), Band(low=0.999, high=None)) == judgement


@pytest.mark.parametrize(("escape", "judgement"), [(0.8, "holds"), (1.2, "fails")])
def test_staying_is_the_share_of_starts_that_never_escape(escape: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": range(4), "escape": escape})
    assert judge(analysis.measure_share_staying(rows), Band(low=0.999, high=None)) == judgement


@pytest.mark.parametrize(("scale", "judgement"), [(1.0, "holds"), (1.01, "fails")])
def test_norms_are_compared_one_by_one(scale: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": 0, "step": range(11), "norm": [9.0, *(scale * norm for norm in NOTEBOOK)]})
    assert judge(analysis.measure_norm_error(rows, norms=NOTEBOOK), Band(low=None, high=1e-4)) == judgement


def test_the_figure_has_three_panels_with_the_published_norms() -> None:
    recipe = load.load(shipped()["eos/arora2022-quadratic"])
    rows = pd.concat([logged((0,), kind=kind)["iterates"] for kind in ("given", "drawn")])
    figure = analysis.draw_quadratic({"iterates": rows}, recipe)
    assert len(figure.axes) == 3
    assert figure.axes[2].get_xlim() == (-2.5, 2.5)
    (published,) = (line for line in figure.axes[0].lines if line.get_label() == "authors' values")
    assert list(published.get_ydata()) == NOTEBOOK
