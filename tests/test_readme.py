"""What README says of commands and figures is what --help and the gallery say.

`python tests/test_readme.py` writes these parts again.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest

README = Path(__file__).parents[1] / "README.md"
FIGURES = README.parent / "figures"


def reference() -> str:
    """The help of the group, of one family and of every command, in Markdown."""
    from resodectl.cli.main import COMMANDS, cli

    root = click.Context(cli, info_name="resodectl", terminal_width=100, **cli.context_settings)
    parts = [_section(root, cli)]
    for name in ("heun", *COMMANDS):
        command = cli.get_command(root, name)
        assert command is not None
        context = click.Context(command, root, name, terminal_width=100)
        parts.append(_section(context, command))
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                parts.append(_section(click.Context(inner, context, inner.name, terminal_width=100), inner))
    return "\n".join(parts)


def _section(context: click.Context, command: click.Command) -> str:
    return f"### `{context.command_path}`\n\n```text\n{command.get_help(context).rstrip()}\n```\n"


def gallery() -> str:
    """One row for every shipped recipe: what its figure shows, and how many of its claims hold in the gallery."""
    from resodectl.experiment.catalogue import shipped

    rows = ["| recipe | shows | claims that hold: laptop | paper |", "| --- | --- | --- | --- |"]
    for name in shipped():
        laptop = json.loads((FIGURES / f"{name}.json").read_text("utf-8"))
        paper = FIGURES / f"{name}.paper.json"
        held = [_held(laptop), _held(json.loads(paper.read_text("utf-8"))) if paper.exists() else "not run"]
        rows.append(f"| [{name}](figures/{name}.png) | {laptop['title']} | {held[0]} | {held[1]} |")
    return "\n".join(rows) + "\n"


def _held(verdicts: dict) -> str:
    judged = [claim for claim in verdicts["claims"] if claim["gate"]]
    return f"{sum(claim['judgement'] == 'holds' for claim in judged)} of {len(judged)}"


PARTS: dict[str, Callable[[], str]] = {"gallery": gallery, "reference": reference}


def parted(text: str, part: str) -> tuple[str, str, str]:
    """What stands before, in and after a part of the README that is written here."""
    begin, end = f"<!-- {part}: written by tests/test_readme.py -->\n", f"<!-- end of {part} -->"
    before, rest = text.split(begin)
    inside, after = rest.split(end)
    return before + begin, inside, end + after


@pytest.mark.parametrize("part", PARTS)
def test_the_written_parts_are_up_to_date(part: str) -> None:
    assert parted(README.read_text("utf-8"), part)[1] == PARTS[part](), "run python tests/test_readme.py"


def test_the_gallery_is_of_the_recipes_as_they_are() -> None:
    from resodectl.experiment.catalogue import shipped
    from resodectl.recipe.load import Request, load

    for name, path in shipped().items():
        for profile, ending in (("laptop", ".json"), ("paper", ".paper.json")):
            if (FIGURES / f"{name}{ending}").exists():
                recipe = load(path, Request(profile))
                verdicts = json.loads((FIGURES / f"{name}{ending}").read_text("utf-8"))
                assert [claim["says"] for claim in verdicts["claims"]] == [claim.says for claim in recipe.claims]
                assert all(claim["judgement"] == "holds" for claim in verdicts["claims"] if claim["gate"])
                assert verdicts["deviations"] == list(map(str, recipe.deviations))
        assert (FIGURES / f"{name}.png").exists()


def test_the_figures_that_it_shows_and_the_recipes_that_it_names_exist() -> None:
    from resodectl.experiment.catalogue import shipped

    text = README.read_text("utf-8")
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert len(shown) >= 3
    assert all((README.parent / path).is_file() for path in shown)
    families = "|".join(sorted({name.partition("/")[0] for name in shipped()}))
    named = set(re.findall(rf"\b(?:{families})/[a-z]+20[0-9a-z-]+", text))
    assert named
    assert {name.rstrip("-") for name in named} <= set(shipped())


def test_the_two_commands_are_targets_of_make_and_the_gate_calls_them() -> None:
    makefile, gate = ((README.parent / name).read_text("utf-8") for name in ("Makefile", ".ci/run"))
    for target in ("figures", "test"):
        assert f"make {target}" in README.read_text("utf-8")
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
        assert f"make {target}\n" in gate


if __name__ == "__main__":
    for name, written in PARTS.items():
        before, _, after = parted(README.read_text("utf-8"), name)
        README.write_text(before + written() + after, "utf-8")
