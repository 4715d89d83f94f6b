"""README's command reference is what --help says. `python tests/test_readme.py` writes it again."""

import re
from pathlib import Path

import click

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- reference: written by tests/test_readme.py -->\n", "<!-- end of reference -->"


def reference() -> str:
    """The help of the group, of one family and of every command, in Markdown."""
    from resodectl.cli.main import COMMANDS, cli

    root = click.Context(cli, info_name="resodectl", terminal_width=100, max_content_width=100)
    parts = [_section(root, cli)]
    for name in ("heun", *COMMANDS):
        command = cli.get_command(root, name)
        assert command is not None
        context = click.Context(command, root, name, terminal_width=100, max_content_width=100)
        parts.append(_section(context, command))
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                parts.append(_section(click.Context(inner, context, inner.name, terminal_width=100), inner))
    return "\n".join(parts)


def _section(context: click.Context, command: click.Command) -> str:
    return f"### `{context.command_path}`\n\n```text\n{command.get_help(context).rstrip()}\n```\n"


def test_the_command_reference_is_what_help_says() -> None:
    text = README.read_text("utf-8")
    assert text[text.index(BEGIN) + len(BEGIN) : text.index(END)] == reference(), "run python tests/test_readme.py"


def test_the_figures_that_it_shows_and_the_recipes_that_it_names_exist() -> None:
    from resodectl.recipe.catalogue import shipped

    text = README.read_text("utf-8")
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert len(shown) >= 3
    assert all((README.parent / path).is_file() for path in shown)
    named = set(re.findall(r"\b(?:adjoint|heun)/[a-z]+20[0-9a-z-]+", text))
    assert named
    assert {name.rstrip("-") for name in named} <= set(shipped())


def test_the_two_commands_are_targets_of_make_and_the_gate_calls_them() -> None:
    makefile, gate = ((README.parent / name).read_text("utf-8") for name in ("Makefile", ".ci/run"))
    for target in ("figures", "test"):
        assert f"make {target}" in README.read_text("utf-8")
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
        assert f"make {target}\n" in gate


if __name__ == "__main__":
    content = README.read_text("utf-8")
    before, after = content[: content.index(BEGIN) + len(BEGIN)], content[content.index(END) :]
    README.write_text(before + reference() + after, "utf-8")
