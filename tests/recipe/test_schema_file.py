"""The schema beside the recipes, and what other readers of YAML make of them.

`python tests/recipe/test_schema_file.py` writes the schema again.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import resodectl
from resodectl.experiment import catalogue
from resodectl.recipe.json_schema import recipe_schema
from resodectl.recipe.reading import read_file
from resodectl.runs.manifest import to_json

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "recipes/recipe.schema.json"
LINE = "# yaml-language-server: $schema=../recipe.schema.json\n"
EXAMPLES = [*(ROOT / "resodectl/example").glob("recipes/*/*.yaml"), *ROOT.glob("tests/plugins/recipes/*/*.yaml")]
RECIPES = [*catalogue.shipped().values(), *EXAMPLES]


def test_the_schema_beside_the_recipes_is_what_the_tool_prints() -> None:
    assert SCHEMA.read_bytes() == to_json(recipe_schema()), "run python tests/recipe/test_schema_file.py"


def test_editors_find_the_schema_in_the_repository_and_beside_copies(shell, tmp_path: Path) -> None:
    assert shell("init", "mine").code == 0
    for path in [*catalogue.shipped().values(), *(tmp_path / "mine").glob("*/*.yaml")]:
        assert path.read_text("utf-8").startswith(LINE), path
    for folder in (ROOT / "recipes", tmp_path / "mine"):
        assert (folder / "heun" / LINE.split("=")[1].strip()).resolve() == folder / "recipe.schema.json"
        assert json.loads((folder / "recipe.schema.json").read_bytes()) == recipe_schema()


def typed(value: Any) -> Any:
    """A value with the types of all that it holds: 1 is not 1.0."""
    if isinstance(value, dict):
        return {key: typed(inside) for key, inside in value.items()}
    return [typed(inside) for inside in value] if isinstance(value, list) else (type(value), value)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_yaml_1_1_reads_a_recipe_as_it_is_read_here(path: Path) -> None:
    assert typed(yaml.safe_load(path.read_text("utf-8"))) == typed(read_file(path).data)


def test_the_schema_accepts_every_shipped_recipe() -> None:
    validator = Draft202012Validator(recipe_schema())
    for path in catalogue.shipped().values():
        assert [error.message for error in validator.iter_errors(read_file(path).data)] == [], path


if __name__ == "__main__":
    SCHEMA.write_bytes(to_json(recipe_schema()))
    print(f"written with the package in {Path(resodectl.__file__).parent}")
