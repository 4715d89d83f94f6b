"""The page figures/README.md is what the tool writes, and the verdicts are of the recipes as they are.

`python tests/docs/test_figures.py` writes it again.
"""

import json
import shutil
from pathlib import Path

from resodectl.claims.document import controls_of
from resodectl.experiment.catalogue import shipped
from resodectl.recipe.load import Request, load
from resodectl.runs import gallery

FIGURES = Path(__file__).parents[2] / "figures"


def test_the_page_is_what_the_tool_writes(tmp_path: Path) -> None:
    copy = tmp_path / "figures"
    shutil.copytree(FIGURES, copy, ignore=shutil.ignore_patterns("README.md"))
    gallery.write(copy)
    written = (copy / "README.md").read_text("utf-8")
    assert written == (FIGURES / "README.md").read_text("utf-8"), "run python tests/docs/test_figures.py"


def test_every_shipped_recipe_has_its_picture_and_verdicts_and_nothing_else_has() -> None:
    for ending in (".png", ".json"):
        found = {path.relative_to(FIGURES).as_posix() for path in FIGURES.glob(f"*/*{ending}")}
        assert {name for name in found if not name.endswith(".paper.json")} == {f"{name}{ending}" for name in shipped()}
    assert {path.stem.removesuffix(".paper") for path in FIGURES.glob("*/*.paper.json")} <= {
        name.partition("/")[2] for name in shipped()
    }


def test_the_verdicts_are_of_the_recipes_as_they_are() -> None:
    for name, path in shipped().items():
        for profile, ending in (("laptop", ".json"), ("paper", ".paper.json")):
            if (FIGURES / f"{name}{ending}").exists():
                recipe = load(path, Request(profile))
                verdicts = json.loads((FIGURES / f"{name}{ending}").read_text("utf-8"))
                assert [claim["says"] for claim in verdicts["claims"]] == [claim.says for claim in recipe.claims]
                assert all(claim["judgement"] == "holds" for claim in verdicts["claims"] if claim["gate"])
                assert verdicts["deviations"] == list(map(str, recipe.deviations))


def test_the_verdicts_of_the_gallery_have_their_controls() -> None:
    for name in shipped():
        claims = json.loads((FIGURES / f"{name}.json").read_text("utf-8"))["claims"]
        assert {control["state"] for claim in claims for control in controls_of(claim)} <= {"breaks"}, name


if __name__ == "__main__":
    gallery.write(FIGURES)
