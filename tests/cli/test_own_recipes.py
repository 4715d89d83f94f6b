"""A reader's own recipe at the command line: no claims, a paper of one's own, selections without rows."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from resodectl.recipe.load import load
from resodectl.recipe.reading import read_file

BARE = """\
family: toy
paper: {title: On walks, authors: [A. One, B. Two], year: 2026, arxiv: "2601.00001"}
figure: Figure 1
title: The speed of a random walk
experiment: toy/walk
params:
  lengths: [4, 400]
  seeds: 4
"""
EACH = """\
claims:
  - claim: speed
    says: A walk of {length} steps has no speed
    kind: ends
    each: {length: [4, 400]}
    within: [-2, 2]
    control:
      set: {drift: 9.0}
      because: the walk must have no drift
"""


@pytest.fixture
def bare(toy: Path, tmp_path: Path) -> Path:
    """A recipe with neither profiles nor claims, of a paper of its own."""
    path = tmp_path / "bare.yaml"
    path.write_text(BARE, "utf-8")
    return path


@pytest.fixture
def each(bare: Path) -> Path:
    """The same with one claim of each length."""
    path = bare.with_name("each.yaml")
    path.write_text(BARE + EACH, "utf-8")
    return path


def test_a_recipe_without_profiles_and_claims_is_drawn_and_claims_nothing(shell, bare: Path, tmp_path: Path) -> None:
    ended = shell("run", "./bare.yaml", "-j", "1", "--strict", "--junit", "claims.xml")
    assert ended.code == 0, ended.err
    assert "nothing is claimed" in ended.out
    (folder,) = (tmp_path / "runs").glob("toy/bare@*/laptop")
    assert (folder / "figure.png").exists()
    assert json.loads((folder / "claims.json").read_text("utf-8"))["claims"] == []
    (suite,) = ElementTree.parse(tmp_path / "claims.xml").getroot()
    assert (suite.get("name"), suite.get("tests"), len(suite)) == ("toy/bare", "0", 0)
    checked = shell("check", "./bare.yaml", "--controls")
    assert (checked.code, "nothing is claimed" in checked.out) == (0, True)
    assert json.loads(shell("check", "./bare.yaml", "--json").out)["claims"] == {"toy/bare": []}


def test_show_says_that_nothing_is_claimed_and_cites_the_papers_facts(shell, bare: Path) -> None:
    shown = shell("show", "./bare.yaml").out
    assert "Nothing is claimed." in shown
    assert "Figure 1 of A. One, B. Two: On walks, 2026, arXiv 2601.00001" in shown
    assert "The paper's own setting." in shown
    facts = json.loads(shell("show", "./bare.yaml", "--json").out)
    assert facts["claims"] == []
    assert (facts["paper"]["key"], facts["paper"]["title"], facts["paper"]["year"]) == (None, "On walks", 2026)


def test_a_profile_that_a_bare_recipe_lacks_is_refused_with_those_that_it_has(shell, bare: Path) -> None:
    ended = shell("run", "./bare.yaml", "--profile", "smoke", "--dry-run")
    assert (ended.code, ended.out) == (2, "")
    assert "bare.yaml:1:1: there is no profile 'smoke'; known: laptop, paper" in ended.err
    assert shell("run", "./bare.yaml", "--profile", "paper", "--dry-run").code == 0


def test_list_names_a_paper_of_ones_own_by_its_authors_and_year(
    shell, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("resodectl.experiment.catalogue.shipped", lambda: {"toy/bare": bare})
        assert "A. One et al. 2026" in shell("list").out
        assert json.loads(shell("list", "--json").out)[0]["paper"] == "A. One et al. 2026"


@pytest.mark.parametrize(
    ("paper", "says"),
    [
        (
            "sander202",
            "bare.yaml:2:1: there is no paper 'sander202' (describe your own as paper: {title, authors, year}); "
            "did you mean 'sander2022'?",
        ),
        ("{title: On walks, year: 2026}", "bare.yaml:2:1: the key 'paper.authors' is missing"),
    ],
)
def test_an_unknown_paper_is_refused_before_anything_is_planned(
    shell, bare: Path, tmp_path: Path, paper: str, says: str
) -> None:
    bare.write_text("".join(["family: toy\n", f"paper: {paper}\n", *BARE.splitlines(keepends=True)[2:]]), "utf-8")
    for options in ([], ["--dry-run"]):
        ended = shell("run", "./bare.yaml", *options)
        assert (ended.code, ended.out) == (2, "")
        assert says in ended.err
    assert list(tmp_path.iterdir()) == [bare]


def test_each_value_is_a_claim_in_every_output(shell, each: Path, tmp_path: Path) -> None:
    sentences = ["A walk of 4 steps has no speed", "A walk of 400 steps has no speed"]
    ended = shell("run", "./each.yaml", "-j", "1", "--controls", "--junit", "claims.xml")
    assert ended.code == 0, ended.err
    assert all(sentence in ended.out for sentence in sentences)
    assert "2/2 hold, 2/2 controls break" in ended.out
    cases = [case.get("name") for case in ElementTree.parse(tmp_path / "claims.xml").getroot().iter("testcase")]
    assert cases[::2] == [f"{number} speed: {sentence}" for number, sentence in enumerate(sentences, 1)]
    (checked,) = json.loads(shell("check", "./each.yaml", "--json").out)["claims"].values()
    assert [claim["says"] for claim in checked] == sentences
    assert [claim["where"] for claim in checked] == [{"length": 4}, {"length": 400}]
    shown = shell("show", "./each.yaml").out
    assert all(sentence in shown for sentence in sentences)
    facts = json.loads(shell("show", "./each.yaml", "--json").out)
    assert [claim["says"] for claim in facts["claims"]] == sentences


def test_a_selection_without_rows_is_called_so_and_not_nan(shell, toy: Path, tmp_path: Path) -> None:
    arguments = ("toy", "-j", "1", "--set", "lengths=[8]", "--controls")
    ended = shell(*arguments, "--junit", "claims.xml")
    assert ended.code == 0, ended.err
    assert "no rows" in ended.out
    assert "1 without rows" in ended.out
    why = "no row has length from 100 on; the log has 8"
    assert f"{why}; the band is [-0.2, 0.2]" in ended.out
    assert f"control: {why} (the walk must have no drift)" in ended.out
    assert why in shell(*arguments).out  # from what is kept, too
    document = json.loads(shell(*arguments, "--json").out)
    (claim,) = document["recipes"][0]["claims"]
    assert (claim["judgement"], claim["estimate"], claim["absent"]) == ("no rows", None, why)
    assert (claim["control"]["state"], claim["control"]["estimate"]) == ("no rows", None)
    assert claim["control"]["absent"] == why
    junit = (tmp_path / "claims.xml").read_text("utf-8")
    assert "no rows" in junit
    for text in (ended.out, json.dumps(document), junit):
        assert not {"nan", "unclear", "broken"} & set(text.lower().replace('"', " ").split())
    assert shell(*arguments, "--strict").code == 1


def test_copied_recipes_are_what_the_copied_schema_and_load_accept(shell, tmp_path: Path) -> None:
    assert shell("init", "mine").code == 0
    schema = json.loads((tmp_path / "mine/recipe.schema.json").read_text("utf-8"))
    assert schema == json.loads(shell("schema").out)
    Draft202012Validator.check_schema(schema)
    copies = sorted((tmp_path / "mine").glob("*/*.yaml"))
    assert len(copies) > 30
    for copy in copies:
        Draft202012Validator(schema).validate(json.loads(json.dumps(read_file(copy).data)))
        assert load(copy).params


def test_a_title_that_cannot_be_laid_out_costs_that_figure_only(shell, bare: Path) -> None:
    text = BARE.replace("title: The speed of a random walk", r"title: 'The $\foo$ of a random walk'")
    bare.with_name("dollar.yaml").write_text(text, "utf-8")
    ended = shell("run", "./dollar.yaml", "./bare.yaml", "-j", "1", "--json")
    assert ended.code == 3
    dollar, plain = json.loads(ended.out)["recipes"]
    assert "dollar.yaml: its figure cannot be laid out: " in dollar["errors"][0]
    assert (plain["errors"], len(plain["figures"])) == ([], 1)


def test_a_misspelt_value_is_named_with_those_that_the_log_has(shell, each: Path) -> None:
    text = each.read_text("utf-8").replace(
        "kind: ends\n    each: {length: [4, 400]}", "kind: paths\n    where: {half: frist}"
    )
    each.write_text(text.replace("{length} steps", "some steps").replace("set: {drift: 9.0}", "where: {half: secnd}"))
    ended = shell("run", "./each.yaml", "-j", "1", "--junit", "claims.xml")
    assert ended.code == 0, ended.err
    assert 'no row has half "frist"; the log has "first", "second"; the band is' in ended.out
    assert 'control: no row has half "secnd"; the log has "first", "second"' in ended.out
    assert "no row has half" in Path("claims.xml").read_text("utf-8")
