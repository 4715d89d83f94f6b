"""A reader's own recipe: one claim of each value, the value nearest to a wanted one, no profiles, no claims."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from resodectl.claims.measures import check_measures
from resodectl.recipe.json_schema import recipe_schema
from resodectl.recipe.load import Request, load
from resodectl.recipe.papers import citation
from resodectl.recipe.reading import RecipeError, headline, read_file
from resodectl.recipe.schema import Near

OWN = """\
family: toy
paper: {title: On walks, authors: [A. One, B. Two], year: 2026, arxiv: "2601.00001"}
figure: Figure 1
title: The speed of a random walk
experiment: toy/walk
params:
  lengths: [4, 400]
  seeds: 4
"""
CLAIMS = """\
claims:
  - claim: speed
    says: A walk of {length} steps has no speed
    kind: ends
    each: {length: [4, 400]}
    within: [-2, 2]
    control:
      set: {drift: 9.0}
      because: the walk must have no drift
  - claim: scaled
    says: The doubled speed of a walk that ends near 3 is not far from zero
    kind: ends
    where: {end: {near: 3.0}}
    with: {factor: 2.0}
    within: [-2, 2]
    control:
      where: {end: {near: 30.0}}
      because: the walk must not end far away
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(text, "utf-8")
    return path


def edited(tmp_path: Path, old: str, new: str) -> Path:
    assert old in OWN + CLAIMS
    return written(tmp_path, (OWN + CLAIMS).replace(old, new))


def refused(path: Path) -> str:
    """What is said of a recipe that is not accepted, without the folder."""
    with pytest.raises(RecipeError) as error:
        check_measures(load(path))
    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(f"{path.parent}/")


def test_each_value_makes_a_claim_whose_sentence_and_rows_name_it(toy: Path, tmp_path: Path) -> None:
    recipe = load(written(tmp_path, OWN + CLAIMS))
    assert [claim.says for claim in recipe.claims[:2]] == [f"A walk of {n} steps has no speed" for n in (4, 400)]
    assert [claim.where for claim in recipe.claims[:2]] == [{"length": 4}, {"length": 400}]
    assert recipe.claims[0].control == recipe.claims[1].control
    assert len(recipe.claims) == 3
    assert all(claim.each == {} for claim in recipe.claims)


def test_each_float_selects_the_nearest_value(toy: Path, tmp_path: Path) -> None:
    text = CLAIMS.replace("{length: [4, 400]}", "{end: [0.5, 20.0]}").replace("{length} steps", "length {end}")
    first, second, _ = load(written(tmp_path, OWN + text)).claims
    assert (first.says, second.says) == ("A walk of length 0.5 has no speed", "A walk of length 20 has no speed")
    assert (first.where, second.where) == ({"end": Near(near=0.5)}, {"end": Near(near=20.0)})


def test_errors_of_claims_after_each_point_at_their_own_lines(toy: Path, tmp_path: Path) -> None:
    assert refused(edited(tmp_path, "claim: scaled", "claim: scalde")).startswith("own.yaml:18:5: the experiment has")
    assert refused(edited(tmp_path, "{factor: 2.0}", "{factr: 2.0}")).startswith("own.yaml:22:12: measure_scaled")
    assert refused(edited(tmp_path, "claim: speed", "claim: sped")).startswith("own.yaml:10:5: the experiment has")
    assert refused(edited(tmp_path, "{drift: 9.0}", "{draft: 9.0}")).startswith(
        "own.yaml:16:13: unknown key 'params.draft'; did you mean 'drift'?"
    )
    later = edited(tmp_path, "where: {end: {near: 30.0}}", "set: {seeds: 0}")
    assert refused(later).startswith("own.yaml:25:13: params.seeds: input should be greater than or equal to 1, got 0")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("{factor: x}", "own.yaml:22:12: measure_scaled.factor: input should be a valid number, got 'x'"),
        ("{factor: true}", "own.yaml:22:12: measure_scaled.factor: input should be a valid number, got true"),
        ("{factor: [1]}", "own.yaml:22:12: measure_scaled.factor: input should be a valid number, got [1]"),
        ("{}", "own.yaml:22:5: measure_scaled needs the option 'factor'; give it under 'with'"),
        ("{factor: 1, fcator: 2}", "own.yaml:22:23: measure_scaled has no option 'fcator'; did you mean 'factor'?"),
    ],
)
def test_options_of_a_measure_are_checked_by_its_signature(toy: Path, tmp_path: Path, options: str, says: str) -> None:
    assert says in refused(edited(tmp_path, "{factor: 2.0}", options))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("{half: frist}", "measure_place.half: input should be 'first' or 'second', got 'frist'"),
        ("{half: first, powers: 2}", "measure_place.powers: input should be a list, got 2"),
        ("{half: first, powers: [1, x]}", "measure_place.powers.1: input should be a valid integer, got 'x'"),
        ("{half: first, shift: x}", "measure_place.shift: input should be a valid number, got 'x'"),
    ],
)
def test_options_of_several_types_are_checked(toy: Path, tmp_path: Path, options: str, says: str) -> None:
    claims = CLAIMS.replace("claim: scaled", "claim: place").replace("{factor: 2.0}", options)
    claims = claims.replace("kind: ends\n    where: {end: {near: 3.0}}", "kind: paths\n    where: {seed: 0}")
    assert says in refused(written(tmp_path, OWN + claims.replace("where: {end: {near: 30.0}}", "where: {seed: 1}")))
    accepted = claims.replace(options, "{half: first, powers: [1, 2], shift: null}")
    check_measures(load(written(tmp_path, OWN + accepted.replace("where: {end: {near: 30.0}}", "where: {seed: 1}"))))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "each: {length: [4, 400]}",
            "where: {length: 4}\n    each: {length: [4, 400]}",
            "own.yaml:10:5: claims.0: 'length' stands in 'where' and in 'each'; leave it to 'each'",
        ),
        ("{length} steps", "some steps", "own.yaml:10:5: claims.0: 'says' must name the value of each claim: write"),
        ("[4, 400]}\n    within", "[4, 4]}\n    within", "own.yaml:13:12: claims.0.each.length: give each value once"),
        (
            "[4, 400]}\n    within",
            "[]}\n    within",
            "own.yaml:13:12: claims.0.each.length: the list should have at least",
        ),
        ("[4, 400]}\n    within", "[4, x]}\n    within", "own.yaml:13:12: the column 'length' holds int64 values, got"),
        (
            "[4, 400]}\n    within",
            "[4, 4.5]}\n    within",
            "own.yaml:13:12: the column 'length' holds int64 values, got",
        ),
        ("[4, 400]}\n    within", "400}\n    within", "own.yaml:13:12: claims.0.each.length: input should be a list"),
        ("[4, 400]}\n    within", "[4, [5]]}\n    within", "own.yaml:13:24: claims.0.each.length.1: input should be"),
        (
            "each: {length: [4, 400]}",
            "each: {length: [4, 400], seed: [0, 1]}",
            "own.yaml:13:5: claims.0.each: the mapping should have at most 1 item",
        ),
        (
            "A walk of {length} steps has no speed\n    kind: ends\n    each: {length: [4, 400]}",
            "A walk of {lenght} steps has no speed\n    kind: ends\n    each: {lenght: [4, 400]}",
            "own.yaml:13:12: the log has no column 'lenght'; did you mean 'length'?",
        ),
        (
            "{end: {near: 3.0}}",
            "{length: {near: 4.0}}",
            "own.yaml:21:13: the column 'length' holds int64 values; 'near'",
        ),
        ("{end: {near: 3.0}}", "{seed: {near: 4.0}}", "own.yaml:21:13: the column 'seed' holds int64 values; 'near'"),
        (
            "kind: ends\n    where: {end: {near: 3.0}}",
            "kind: paths\n    where: {half: {near: 1}}",
            "holds string values;",
        ),
        ("{end: {near: 3.0}}", "{end: {near: x}}", "own.yaml:21:19: claims.1.where.end.near: input should be a valid"),
        ("{end: {near: 3.0}}", "{end: {naer: 3.0}}", "unknown key 'claims.1.where.end.naer'; did you mean 'near'?"),
        (
            "{end: {near: 3.0}}",
            "{end: {near: 3.0, min: 2}}",
            "own.yaml:21:13: claims.1.where.end: give either 'near', or 'min' and 'max'",
        ),
        (
            "{near: 30.0}",
            "{near: true}",
            "own.yaml:25:21: claims.1.control.where.end.near: input should be a valid number",
        ),
        ("{end: {near: 30.0}}", "{length: {near: 30.0}}", "own.yaml:25:15: the column 'length' holds int64 values;"),
    ],
)
def test_selections_that_cannot_be_are_refused_at_their_place(
    toy: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert says in refused(edited(tmp_path, old, new))


def test_a_recipe_without_profiles_is_its_params(toy: Path, tmp_path: Path) -> None:
    path = written(tmp_path, OWN + CLAIMS)
    laptop, paper = load(path), load(path, Request("paper"))
    assert laptop.params == paper.params
    assert (laptop.deviations, laptop.because) == ((), None)
    with pytest.raises(RecipeError, match=r"own.yaml:1:1: there is no profile 'smoke'; known: laptop, paper"):
        load(path, Request("smoke"))


def test_a_recipe_may_claim_nothing_but_not_leave_all_claims_unjudged(toy: Path, tmp_path: Path) -> None:
    assert load(written(tmp_path, OWN)).claims == ()
    assert load(written(tmp_path, OWN + "claims: []\n")).claims == ()
    ungated = CLAIMS.replace("    within: [-2, 2]\n", "    within: [-2, 2]\n    gate: false\n    because: unsure\n")
    assert "every recipe gates its headline: no claim here is judged" in refused(written(tmp_path, OWN + ungated))


def test_a_paper_of_ones_own_is_cited(toy: Path, tmp_path: Path) -> None:
    path = written(tmp_path, OWN)
    assert citation(load(path).paper) == "A. One, B. Two: On walks, 2026, arXiv 2601.00001"
    assert headline(path)["paper"] == "A. One et al. 2026"
    alone = edited(tmp_path, "[A. One, B. Two]", "[A. One]")
    assert headline(alone)["paper"] == "A. One 2026"


@pytest.mark.parametrize(
    ("paper", "shown"),
    [
        ("{title: On walks}", "On walks"),
        ("{authors: [], year: 2026}", ""),
        ("{authors: [A. One]}", "A. One"),
        ("null", ""),
        ("{authors: {a: [1]}, title: 3}", "3"),
        ("{authors: [[1, 2]], year: [2026]}", "[1, 2] [2026]"),
        ('{authors: ["A.\\e[31m\\nOne"], year: null}', "A. [31m One None"),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_what_is_wrong_with_a_paper_does_not_break_its_headline(tmp_path: Path, paper: str, shown: str) -> None:
    path = written(tmp_path, f"paper: {paper}\n")
    assert headline(path) == {"paper": shown, "figure": "", "title": ""}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("title: On walks, ", "", "own.yaml:2:1: the key 'paper.title' is missing"),
        ("title: On walks", "titel: On walks", "own.yaml:2:9: unknown key 'paper.titel'; did you mean 'title'?"),
        ("[A. One, B. Two]", "[]", "own.yaml:2:26: paper.authors: the list should have at least 1 item, not 0"),
        ("[A. One, B. Two]", "A. One", "own.yaml:2:26: paper.authors: input should be a list, got 'A. One'"),
        ("year: 2026", "year: '2026'", "own.yaml:2:53: paper.year: input should be a valid integer, got '2026'"),
        ('"2601.00001"', "2601.1", "own.yaml:2:65: paper.arxiv: input should be a valid string, got 2601.1"),
        ('"2601.00001"', "x", "own.yaml:2:65: paper.arxiv: write an arXiv id without its version"),
        ('"2601.00001"', "2601.00001v2", "paper.arxiv: write an arXiv id without its version and without"),
        ('"2601.00001"', '"arXiv:2601.00001"', 'such as "2205.14612" or "math/0309136", got \'arXiv:2601.00001\''),
        ('"2601.00001"', '"2601.00001\\n"', "paper.arxiv: write an arXiv id without its version"),
        ("title: On walks", "title: ' '", "own.yaml:2:9: paper.title: is empty; write a few words, got ' '"),
        ("title: The speed", "title: ''  # The speed", "own.yaml:4:1: title: is empty; write a few words, got ''"),
        ("title: The speed", 'title: "\\t"  # The speed', "own.yaml:4:1: title: is empty; write a few words, got"),
        ("family: toy", "family: Toy", "own.yaml:1:1: family: write a name of small letters, digits, '-' and '_', got"),
        (
            "experiment: toy/walk",
            "experiment: walk",
            "own.yaml:5:1: experiment: write the experiment as family/name, such",
        ),
        ("paper: {", "paper: sander2023  # {", "own.yaml:2:1: there is no paper 'sander2023' (describe your own"),
        ("paper: {", "paper: 3  # {", "own.yaml:2:1: paper: input should be a string or a mapping, got 3"),
    ],
)
def test_a_paper_that_is_not_known_or_not_whole_is_refused(
    toy: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert says in refused(edited(tmp_path, old, new))


def valid(document: Any) -> bool:
    return Draft202012Validator(recipe_schema()).is_valid(document)


def test_the_json_schema_accepts_what_load_accepts(toy: Path, tmp_path: Path) -> None:
    assert valid(read_file(toy).data)
    assert valid(read_file(written(tmp_path, OWN)).data)
    path = edited(tmp_path, "within: [-2, 2]\n    control:\n      where", "within: 4\n    control:\n      where")
    load(path)
    assert valid(read_file(path).data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("within: [-2, 2]", "within: 4.5"),
        ("within: [-2, 2]", "within: [null, null]"),
        ("within: [-2, 2]", "within: true"),
        ("within: [-2, 2]", "within: {laptop: [0, 1]}"),
        ("{near: 3.0}", "{near: x}"),
        ("{near: 3.0}", "{near: 3.0, min: 1}"),
        ("{length: [4, 400]}", "{length: 4}"),
        ("{length: [4, 400]}", "{length: []}"),
        ("{length: [4, 400]}", "{length: [4, 4]}"),
        ("{length: [4, 400]}", "{length: [4, 400], seed: [1]}"),
        ("year: 2026", "year: '2026'"),
        ("title: On walks, ", ""),
        ('"2601.00001"', "x"),
        ("[A. One, B. Two]", "[]"),
        ("title: The speed", "title: ' '  # "),
        ('"2601.00001"', "2601.00001v2"),
        ("family: toy", "family: toys"),
        ("experiment: toy/walk", "experiment: toy/wlak"),
        ("paper: {", "paper: sander2023  # {"),
        ("kind: ends\n    each", "each"),
        ("kind: ends\n    each", "kind: end\n    each"),
        ("kind: ends\n    each: {length", "kind: paths\n    each: {length"),
        ("where: {end: {near: 3.0}}", "where: {ned: {near: 3.0}}"),
        ("where: {end: {near: 30.0}}", "where: {ned: {near: 30.0}}"),
        ("where: {end: {near: 30.0}}", "where: {}"),
        ("where: {end: {near: 3.0}}", "where: {end: {}}"),
        ("where: {end: {near: 3.0}}", "where: {end: {min: null}}"),
        ("set: {drift: 9.0}", "set: {drfit: 9.0}"),
        ("set: {drift: 9.0}", "set: {drift: x}"),
        ("    control:\n      set: {drift: 9.0}\n      because: the walk must have no drift\n", ""),
        ("    with: {factor: 2.0}\n", "    with: {factor: 2.0}\n    gate: false\n"),
        ("    with: {factor: 2.0}\n", "    with: {factor: 2.0}\n    because: of that\n"),
        ("  seeds: 4\n", "  seeds: 4\nprofiles: {smoke: {seeds: 2}}\n"),
        ("  seeds: 4\n", "  seeds: 4\nprofiles: {huge: {seeds: 2, because: large}}\n"),
    ],
)
def test_the_json_schema_refuses_what_load_refuses(toy: Path, tmp_path: Path, old: str, new: str) -> None:
    path = edited(tmp_path, old, new)
    with pytest.raises(RecipeError):
        load(path)
    assert not valid(json.loads(json.dumps(read_file(path).data)))
