"""Verdicts follow from where the whole interval lies; a control must break its claim."""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from resodectl.claims.document import controls_of, document
from resodectl.claims.estimate import Estimate, exact
from resodectl.claims.junit import junit
from resodectl.claims.measures import check, check_measures, named
from resodectl.claims.selecting import select
from resodectl.claims.verdict import ControlVerdict, judge, judge_control
from resodectl.errors import UserError
from resodectl.recipe.load import load
from resodectl.recipe.reading import RecipeError
from resodectl.recipe.schema import Band, Control, Near, Range

NAN = math.nan
ONLY = (0, ("control",))


def estimate(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 5, "student")


@pytest.mark.parametrize(
    ("interval", "band", "judgement", "control"),
    [
        ((-1.05, -0.95), (-1.1, -0.9), "holds", "broken"),
        ((-1.1, -0.9), (-1.1, -0.9), "holds", "broken"),
        ((-1.2, -0.95), (-1.1, -0.9), "unclear", "broken"),
        ((-0.5, -0.4), (-1.1, -0.9), "fails", "breaks"),
        ((-2.5, -2.0), (-1.1, -0.9), "fails", "breaks"),
        ((-5.0, 5.0), (-1.1, -0.9), "unclear", "broken"),
        ((3.0, 4.0), (2.0, None), "holds", "broken"),
        ((1.0, 1.5), (2.0, None), "fails", "breaks"),
        ((1.0, 3.0), (None, 2.0), "unclear", "broken"),
        ((NAN, NAN), (None, 2.0), "unclear", "broken"),
        ((3.0, math.inf), (None, 2.0), "unclear", "broken"),
        ((3.0, math.inf), (2.0, None), "unclear", "broken"),
        ((math.inf, math.inf), (1.5, None), "unclear", "broken"),
        ((3.0, NAN), (2.0, None), "unclear", "broken"),
    ],
)
def test_verdict_is_where_the_whole_interval_lies(
    interval: tuple[float, float], band: tuple[float | None, float | None], judgement: str, control: str
) -> None:
    measured, within = estimate(*interval), Band(low=band[0], high=band[1])
    assert judge(measured, within) == judgement
    assert judge_control(measured, within) == control


def logs(end: float, spread: float = 0.01) -> dict[str, pd.DataFrame]:
    ends = [end + spread * offset for offset in (-1, 0, 1, 2)]
    return {
        "ends": pd.DataFrame({"length": 400, "seed": range(4), "end": np.multiply(ends, 400)}),
        "paths": pd.DataFrame(),
    }


def test_claims_hold_on_their_rows_and_fail_under_their_control(toy: Path) -> None:
    recipe = load(toy)
    (verdict,) = check(recipe, logs(0.0), {ONLY: logs(0.5)})
    assert (verdict.judgement, verdict.controls[0].state, verdict.acceptable) == ("holds", "breaks", True)
    (verdict,) = check(recipe, logs(0.0), {})
    assert (verdict.controls[0].state, verdict.acceptable) == ("not run", True)
    (verdict,) = check(recipe, logs(0.0), {ONLY: logs(0.1)})
    assert (verdict.judgement, verdict.controls[0].state, verdict.acceptable) == ("holds", "broken", False)
    (verdict,) = check(recipe, logs(0.5), {ONLY: logs(0.5)})
    assert (verdict.judgement, verdict.acceptable) == ("fails", False)


def test_each_of_several_controls_must_break_its_claim(toy: Path) -> None:
    recipe = load(toy)
    claim = recipe.claims[0]
    by_rows = Control(because="short walks", where={"length": 4})
    claim = claim.model_copy(update={"control": None, "controls": (claim.control, by_rows)})
    two = replace(recipe, file=recipe.file.model_copy(update={"claims": (claim,)}))
    log = logs(0.0)
    log["ends"] = pd.concat([log["ends"], log["ends"].assign(length=4, end=2.0)])
    (verdict,) = check(two, log, {(0, ("controls", 0)): logs(0.5)})
    assert [control.state for control in verdict.controls] == ["breaks", "breaks"]
    assert verdict.acceptable
    written = document(verdict)
    assert [control["because"] for control in controls_of(written)] == [claim.controls[0].because, "short walks"]
    suite = ElementTree.fromstring(junit({"toy/walk-speed": [verdict]}))[0]
    assert (suite.get("tests"), suite[2].get("name", "")[-11:]) == ("3", "[control 2]")
    (verdict,) = check(two, log, {(0, ("controls", 0)): logs(0.1)})
    assert [control.state for control in verdict.controls] == ["broken", "breaks"]
    assert not verdict.acceptable


def test_a_selection_without_rows_is_neither_held_nor_broken(toy: Path) -> None:
    few = logs(0.0)
    few["ends"]["length"] = 4
    (verdict,) = check(load(toy), few, {ONLY: few})
    assert (verdict.judgement, verdict.estimate) == ("no rows", None)
    assert (verdict.controls[0].state, verdict.controls[0].estimate) == ("no rows", None)
    assert not verdict.acceptable  # what is judged must have been looked at
    assert document(verdict)["estimate"] is None
    ElementTree.fromstring(junit({"toy/walk-speed": [verdict]}))


def test_the_control_alone_may_have_no_rows(toy: Path) -> None:
    few = logs(0.0)
    few["ends"]["length"] = 4
    (verdict,) = check(load(toy), logs(0.0), {ONLY: few})
    assert (verdict.judgement, verdict.controls[0].state, verdict.acceptable) == ("holds", "no rows", True)


def test_a_band_of_one_integer_is_hit_exactly_or_missed() -> None:
    four = Band.model_validate_json("4")
    assert (judge(exact(4), four), judge(exact(5), four)) == ("holds", "fails")
    assert (judge_control(exact(4), four), judge_control(exact(5), four)) == ("broken", "breaks")
    assert judge(Estimate(4.0, 3.9, 4.1, 5, "student"), four) == "unclear"


def test_near_looks_among_the_rows_that_the_other_columns_leave() -> None:
    rows = pd.DataFrame({"weights": ["a", "b"], "hurst": [0.5, 0.4916]})
    where = {"hurst": Near(near=0.5), "weights": "b"}
    assert list(select(rows, where)["hurst"]) == [0.4916]


@pytest.mark.parametrize("written", ["4.0", "true", "[4, 4]", "[5, 4]", "[4]", '{"low": 3, "high": 0}'])
def test_a_band_is_a_pair_or_one_integer(written: str) -> None:
    with pytest.raises(ValidationError, match="band"):
        Band.model_validate_json(written)


def test_selections_take_values_lists_and_ranges() -> None:
    rows = pd.DataFrame({"n": [1, 2, 3, 4], "kind": ["a", "b", "a", "c"]})
    assert list(select(rows, {"kind": "a"})["n"]) == [1, 3]
    assert list(select(rows, {"kind": ("a", "c")})["n"]) == [1, 3, 4]
    assert list(select(rows, {"n": Range(min=2, max=3)})["n"]) == [2, 3]
    assert list(select(rows, {"n": Range(min=2), "kind": "a"})["n"]) == [3]


@pytest.mark.parametrize(
    ("near", "found"), [(0.5, [0.4916]), (0.05, [0.05]), (0.0514, []), (0.65, []), (0.0, [0.0]), (-0.5, [])]
)
def test_near_selects_the_nearest_value_within_two_per_cent(near: float, found: list[float]) -> None:
    rows = pd.DataFrame({"hurst": [0.0, 0.05, 0.4916, 0.5101, 0.6362]})
    assert list(select(rows, {"hurst": Near(near=near)})["hurst"]) == found


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("claim: speed", "claim: sped", ":17:5: the experiment has no measure_sped; did you mean 'speed'?"),
        ("kind: ends", "kind: ends\n    with: {factor: 2.0}", ":20:12: measure_speed has no option 'factor'"),
        ("claim: speed", "claim: scaled", ":17:5: measure_scaled needs the option 'factor'"),
        ("toy/walk\n", "toy/walk\ndraw: end\n", ":6:1: the experiment has no draw_end; did you mean 'ends'?"),
    ],
)
def test_measures_and_their_options_are_checked_before_anything_runs(
    toy: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    path = tmp_path / "edited.yaml"
    path.write_text(toy.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(RecipeError) as refused:
        check_measures(load(path))
    assert says in str(refused.value)


def test_junit_counts_claims_and_controls(toy: Path) -> None:
    verdicts = check(load(toy), logs(0.5), {ONLY: logs(0.1)})
    root = ElementTree.fromstring(junit({"toy/walk-speed": verdicts}))
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "2", "0")
    not_run = ControlVerdict(verdicts[0].controls[0].control, None, "not run")
    reported = verdicts[0].claim.model_copy(update={"gate": False})
    not_judged = replace(verdicts[0], claim=reported, controls=(not_run,))
    (suite,) = ElementTree.fromstring(junit({"toy/walk-speed": [not_judged]}))
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "2")


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        (lambda rows: [][0], "measure_speed of toy/walk failed: IndexError: list index out of range"),
        (lambda rows: sys.exit("enough"), "measure_speed of toy/walk failed: SystemExit: enough"),
        (lambda rows: 3.0, "measure_speed of toy/walk failed: it gives float, not an Estimate"),
        (lambda rows: Estimate(1.0, 2.0, 0.0, 3, "student"), "failed: ValueError: an interval from 2.0 down to 0.0"),
    ],
)
def test_a_measure_that_fails_is_named_in_a_sentence(
    toy: Path, monkeypatch: pytest.MonkeyPatch, measure: Callable[..., object], says: str
) -> None:
    recipe = load(toy)
    monkeypatch.setattr(recipe.experiment.module("analysis"), "measure_speed", measure)
    with pytest.raises(UserError) as refused:
        check(recipe, logs(0.0), {})
    assert str(refused.value).startswith(str(toy))
    assert says in str(refused.value)


def test_only_functions_can_be_named_and_a_choice_among_several_must_be_made() -> None:
    analysis = ModuleType("analysis")
    vars(analysis).update(draw_one=print, draw_two=print, draw_order=("one", "two"))
    assert named(analysis, "draw", "one", "r.yaml:1:1") is print
    with pytest.raises(RecipeError, match=r"^r.yaml:1:1: .* no draw_order"):
        named(analysis, "draw", "order", "r.yaml:1:1")
    with pytest.raises(RecipeError, match="several drawings; add 'draw', one of one, two"):
        named(analysis, "draw", "", "r.yaml:1:1")


def test_junit_keeps_to_the_characters_of_xml_and_tells_what_failed(toy: Path) -> None:
    (verdict,) = check(load(toy), logs(0.0), {})
    strange = replace(verdict, claim=verdict.claim.model_copy(update={"says": "a\x1b[31mred\x00 \ufffe claim"}))
    (suite,) = ElementTree.fromstring(junit({"toy/walk": [strange]}, {"toy/walk": ["a cell\x07 fell"]}))
    assert (suite.get("tests"), suite.get("errors")) == ("3", "1")
    assert next(case.get("name") for case in suite) == "1 speed: a[31mred  claim"
    assert [error.get("message") for error in suite.iter("error")] == ["a cell fell"]
