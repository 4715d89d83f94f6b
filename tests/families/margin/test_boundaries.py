"""margin/boundaries: what the log says of a run and of the exact optima, files of points, the measures, the figures."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.families.margin.boundaries import analysis, spec
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.docs.test_readme import ROOT, blocks
from tests.simulated import simulated

CLUSTERS = spec.Clusters(kind="clusters", discs=2, samples=10)
XOR = spec.Xor(kind="xor", across=0.5, along=0.5)
SMALL = ("--set", "width=20", "--set", "steps=200", "--set", "features=[100]", "--set", "resolution=15", "-j", "1")


def logged(data: spec.Data, seeds: tuple[int, ...] = (0, 1), **changes: object) -> dict[str, pd.DataFrame]:
    values = {"data": data, "width": 50, "lr": 0.5, "steps": 300, "records": 12, "tolerance": 1e-5}
    values |= {"features": (200,), "resolution": 21, "shown": 5, "dtype": "float64"}
    return simulated("margin/boundaries", spec.Point(**(values | changes)), seeds)


@pytest.fixture(scope="module")
def xor() -> dict[str, pd.DataFrame]:
    return logged(XOR)


def test_no_margin_passes_its_bound_and_both_layers_come_near_it(xor: dict[str, pd.DataFrame]) -> None:
    margins = xor["margins"]
    assert margins["upper"].to_numpy() == pytest.approx(0.08838835, rel=1e-6)
    assert (margins["ratio"] <= 1 + 1e-9).all()
    assert (margins["margin"] <= margins["best"] + 1e-15).all()
    for (_, _), own in margins.groupby(["method", "seed"]):
        assert own["best"].is_monotonic_increasing
        assert own["ratio"].to_numpy() == pytest.approx(own["best"] / own["upper"])
    last = margins[margins["step"] == 300].set_index("method")
    assert (last.loc["both", "ratio"] > 0.9).all()
    assert (last.loc["both", "alignment"] > 0.95).all()
    assert last.loc["both", "kernel_ratio"].isna().all()
    assert (last.loc["output", "ratio"] < 0.7).all()
    assert last.loc["output", "kernel_ratio"].between(0.2, 1 + 1e-9).all()


def test_the_optima_of_xor_are_known_and_no_line_separates_it(xor: dict[str, pd.DataFrame]) -> None:
    given = xor["optima"][xor["optima"]["labels"] == "given"]
    assert given["f1_lower"].to_numpy() == pytest.approx(0.08838835, rel=1e-5)
    assert given["f2_lower"].to_numpy() == pytest.approx(0.09869352, rel=1e-6)
    assert given[["atoms", "points"]].to_numpy().tolist() == [[4, 4], [4, 4]]
    assert given["svm"].isna().all()
    assert xor["surfaces"].query("classifier == 'svm'")["value"].isna().all()
    assert np.abs(xor["atoms"][["u", "v"]].to_numpy()) == pytest.approx(0.5**0.5, abs=1e-4)
    assert np.sign(xor["atoms"]["u"] * xor["atoms"]["v"]).tolist() == np.sign(xor["atoms"]["mass"]).tolist()


def test_exact_surfaces_are_one_at_the_nearest_points(xor: dict[str, pd.DataFrame]) -> None:
    """The corners (+-0.48, +-0.48) of the grid lie next to the points (+-0.5, +-0.5), where |f| is its least margin."""
    rows = xor["surfaces"]
    near = rows[np.isclose(rows["x"].abs(), 0.48) & np.isclose(rows["y"].abs(), 0.48)]
    for classifier in ("f1", "f2", "both"):
        own = near[near["classifier"] == classifier]
        assert len(own) == 8
        assert own["value"].to_numpy() == pytest.approx(np.sign(own["x"] * own["y"]), abs=0.25)


def test_agreement_is_the_share_of_places_with_equal_signs() -> None:
    log = logged(CLUSTERS)
    table = log["surfaces"].pivot(index=["seed", "x", "y"], columns="classifier", values="value")
    for row in log["agreement"].itertuples():
        own = table.loc[row.seed]
        assert row.share == pytest.approx(
            (np.sign(own[row.classifier]) == np.sign(own[row.optimum])).mean(), abs=3 / 441
        )


def test_points_are_those_of_the_seed_and_permuted_labels_are_the_same_ones() -> None:
    log = logged(CLUSTERS, (3,), steps=1)
    samples = log["points"].query("part == 'sample'")
    assert len(samples) == 10
    assert len(log["points"].query("part == 'centre'")) == 4
    alone = logged(CLUSTERS, (2, 3), steps=1)
    pd.testing.assert_frame_equal(
        alone["points"].query("seed == 3").reset_index(drop=True), log["points"], check_exact=True
    )
    assert log["optima"].query("labels == 'permuted'")["f1_lower"].item() > 0


def test_units_that_cannot_separate_the_points_leave_no_number() -> None:
    """One unit gives all points outputs of one sign."""
    log = logged(XOR, width=1, steps=3, features=(1,))
    assert log["margins"]["kernel_ratio"].isna().all()
    assert (log["features"]["ratio"] == 0).all()


def test_particles_are_hidden_weights_times_output_weights(xor: dict[str, pd.DataFrame]) -> None:
    first = xor["particles"].query("step == 0 and method == 'both'")
    assert len(first) == 10
    assert (xor["particles"].query("step == 0 and method == 'output'")[["u", "v", "mean"]] == 0).all(axis=None)
    directions = xor["particles"].query("(u != 0 or v != 0) and method == 'output' and unit == 0 and seed == 0")
    assert len(directions) > 5
    angles = np.arctan2(directions["v"], directions["u"])
    assert angles.to_numpy() == pytest.approx(np.full(len(angles), angles.iloc[0]))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The recipe that docs/your-own.md shows, with its points beside it."""
    page = ROOT / "docs/your-own.md"
    (tmp_path / "points.csv").write_text(*blocks(page, "csv"))
    (recipe,) = (block for block in blocks(page, "yaml") if "points.csv" in block)
    (tmp_path / "points.yaml").write_text(recipe)
    return tmp_path / "points.yaml"


def test_points_of_a_file_give_their_line_and_both_optima(own: Path, shell: Callable) -> None:
    ended = shell("run", str(own), "--out", "out", *SMALL)
    assert ended.code == 0, ended.err
    (figure,) = Path("out").rglob("figure.png")
    given = pd.read_parquet(figure.with_name("log-optima.parquet")).query("labels == 'given'")
    # Half the distance of (12, 205) from the line through (16, 201) and (18, 209).
    assert given["svm"].to_numpy() == pytest.approx(10 / math.sqrt(17))
    assert (given["f1_upper"] <= (1 + 2e-5) * given["f1_lower"]).all()
    points = pd.read_parquet(figure.with_name("log-points.parquet")).query("part == 'sample' and seed == 0")
    assert points[["x", "y"]].to_numpy().tolist()[:2] == [[10.0, 200.0], [12.0, 205.0]]


def test_a_file_that_is_wrong_ends_the_command_with_one_sentence(own: Path, shell: Callable) -> None:
    own.with_name("points.csv").write_text("x,y,label\n1,2,1\n3,4,yes\n")
    ended = shell("run", str(own), "--out", "out", *SMALL)
    assert ended.code != 0
    assert "points.csv, line 3: label is 'yes'; write a finite number" in ended.err
    ended = shell("run", str(own), "--out", "out", "--set", "data.file=others.csv", *SMALL)
    assert ended.code == 2
    assert "needs the file 'others.csv'" in ended.err


@pytest.mark.parametrize(
    ("ratio", "judgement"), [(0.98, "holds"), (0.9, "fails"), (1.2, "fails"), (math.nan, "unclear")]
)
def test_a_ratio_is_judged_at_the_last_step(ratio: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "step": [9, 1, 1, 9], "ratio": [ratio, 0.1, 0.1, ratio]})
    assert judge(analysis.measure_reached(rows), Band(low=0.97, high=1.0)) == judgement


@pytest.mark.parametrize(
    ("ratio", "log10", "judgement"), [(0.99, -2, "holds"), (-1.0, 0.30103, "fails"), (1.0, -9, "holds")]
)
def test_a_shortfall_is_judged_by_its_logarithm(ratio: float, log10: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1], "step": [9, 1, 9], "kernel_ratio": [ratio, 5.0, ratio]})
    estimate = analysis.measure_log10_shortfall(rows, quantity="kernel_ratio")
    assert estimate.value == pytest.approx(log10)
    assert judge(estimate, Band(low=None, high=-1)) == judgement


@pytest.mark.parametrize(("f1", "judgement"), [(0.98, "holds"), (0.93, "fails")])
def test_a_preference_is_a_difference_of_shares(f1: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "optimum": ["f1", "f2"] * 2, "share": [f1, 0.95, f1, 0.95]})
    estimate = analysis.measure_preference(rows)
    assert estimate.value == pytest.approx(f1 - 0.95)
    assert judge(estimate, Band(low=0.01, high=None)) == judgement
    assert math.isnan(analysis.measure_preference(rows[rows["optimum"] == "f1"]).value)


@pytest.mark.parametrize(("ratios", "judgement"), [((1.01, 0.99), "holds"), ((1.3, 0.7), "fails")])
def test_features_are_judged_whichever_way_they_err(ratios: tuple[float, float], judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "ratio": [*ratios, *ratios]})
    assert judge(analysis.measure_feature_error(rows), Band(low=None, high=0.07)) == judgement


@pytest.mark.parametrize(("atoms", "judgement"), [(9, "holds"), (27, "fails")])
def test_atoms_are_counted_per_point(atoms: int, judgement: str) -> None:
    rows = pd.DataFrame({"seed": range(4), "atoms": [atoms - 1, atoms + 1] * 2, "points": 40})
    assert analysis.measure_atoms_per_point(rows).value == pytest.approx(atoms / 40)
    assert judge(analysis.measure_atoms_per_point(rows), Band(low=None, high=0.375)) == judgement


def test_figures_show_the_line_if_there_is_one_and_the_atoms(xor: dict[str, pd.DataFrame]) -> None:
    recipe = load.load(shipped()["margin/chizat2020-boundaries"])
    figure = analysis.draw_boundaries(xor, recipe)
    assert len(figure.axes) == 6
    assert not any(line.get_label() == "best separating line" for line in figure.axes[0].lines)
    assert not any(line.get_label() == "centre of a disc" for line in figure.axes[0].lines)
    rows = xor["surfaces"]
    tilted = rows["value"].where(rows["classifier"] != "svm", rows["x"].astype("float32"))
    figure = analysis.draw_boundaries(xor | {"surfaces": rows.assign(value=tilted)}, recipe)
    assert any(line.get_label() == "best separating line" for line in figure.axes[0].lines)
    figure = analysis.draw_boundaries(logged(CLUSTERS, steps=1), recipe)
    assert any(line.get_label() == "centre of a disc" for line in figure.axes[0].lines)
    figure = analysis.draw_particles(xor, recipe)
    assert sum(line.get_label() == "atom of the F1 optimum" for line in figure.axes[0].lines) == 4
