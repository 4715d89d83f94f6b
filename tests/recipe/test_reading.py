"""Reading YAML 1.2: what values mean, where they stand, what is refused."""

import os
from pathlib import Path

import pytest

from resodectl.recipe.reading import RecipeError, headline, read_file, read_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1.5", 1.5),
        ("-2", -2),
        ("0x1F", 31),
        ("0o17", 15),
        ("true", True),
        ("on", "on"),
        ("yes", "yes"),
        ("null", None),
        ("~", None),
        ("2026-11-23", "2026-11-23"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("'012'", "012"),
        ("[1, 2.0, a]", [1, 2.0, "a"]),
        ("{a: {b: [null]}}", {"a": {"b": [None]}}),
        ("&x [1, 2]", [1, 2]),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    read = read_text(text, "t").data
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 012", "t:1:4: 012 has a leading zero"),
        ("a: .inf", "not a finite number"),
        ("a: .nan", "not a finite number"),
        ("a: 1e999", "not a finite number"),
        ("a: 1\nb: 2\na: 3", "t:3:1: the key 'a' stands twice"),
        ("a: !!python/object/apply:os.system [ls]", "is not allowed"),
        ("a: !mine 3", "is not allowed"),
        ("? [1, 2]\n: 3", "a key must be a plain string"),
        ("1: 2", "a key must be a plain string"),
        ("a: [1, 2", "is not valid YAML: did not find expected"),
        ("a:\n\tb: 1", "is not valid YAML"),
        ("", "t: is empty"),
        ("# only a comment", "t: is empty"),
        ("a: 1\n---\nb: 2", "is not valid YAML"),
        ("a: " + "9" * 30, "more than 18 digits"),
        ("&a [*a]", "nested more than"),
        ("[" * 300_000, "t:1:41: is nested more than 40 levels deep"),
        ("- " * 3000, "t:1:81: is nested more than 40 levels deep"),
        ("a: 0x" + "f" * 6000, "does not fit in 64 bits"),
        ("a: 0x8000000000000000", "does not fit in 64 bits"),
        ("a: " + "0" * 6000, "more than 18 digits"),
        ("a: !!int abc", "t:1:4: this is no int"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(RecipeError, match=r"^t") as refused:
        read_text(text, "t")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(RecipeError, match="more than 100000 values"):
        read_text("\n".join(lines), "bomb")


def test_places_are_lines_and_columns_of_keys_and_items() -> None:
    document = read_text("params:\n  depths: [8, 16]\n  seeds: 4\n", "r.yaml")
    assert document.location(("params", "seeds")) == "r.yaml:3:3"
    assert document.location(("params", "depths", 1)) == "r.yaml:2:15"
    assert document.location(("params", "absent")) == "r.yaml:1:1"


def test_files_that_are_no_recipes_are_refused(tmp_path: Path) -> None:
    cases = {"binary.yaml": b"\x89PNG\xff\x00\xfe", "large.yaml": b"a" * (1 << 20) + b"b", "nul.yaml": b"a: \x00"}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RecipeError, match=name):
            read_file(tmp_path / name)
    with pytest.raises(RecipeError, match="cannot be read"):
        read_file(tmp_path / "absent.yaml")
    with pytest.raises(RecipeError, match="is a folder"):
        read_file(tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(RecipeError, match="is not a regular file"):
        read_file(tmp_path / "pipe.yaml")


def test_headlines_are_strings_and_need_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("figure: 3\ntitle: A walk\n")
    assert headline(path) == {"paper": "", "figure": "3", "title": "A walk"}
    path.write_text("[1, 2]")
    with pytest.raises(RecipeError, match=r"r.yaml:1:1: a recipe is a mapping"):
        headline(path)
