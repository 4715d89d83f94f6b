"""docs/commands.md is what --help says.

`python tests/docs/test_commands.py` writes it again.
"""

from pathlib import Path

import click

COMMANDS_MD = Path(__file__).parents[2] / "docs/commands.md"
WIDTH = 100
INTRODUCTION = """\
# Commands

What `resodectl COMMAND --help` says of every command and family. This page is written by tests/docs/test_commands.py.
"""


def reference() -> str:
    """The help of the whole, of every family and of every command, in Markdown."""
    from resodectl.cli.main import cli

    root = click.Context(cli, info_name="resodectl", terminal_width=WIDTH, **cli.context_settings)
    parts = [INTRODUCTION, _section(root, cli)]
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        assert command is not None
        context = click.Context(command, root, name, terminal_width=WIDTH)
        parts.append(_section(context, command))
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                parts.append(_section(click.Context(inner, context, inner.name, terminal_width=WIDTH), inner))
    return "\n".join(parts)


def _section(context: click.Context, command: click.Command) -> str:
    return f"## `{context.command_path}`\n\n```text\n{command.get_help(context).rstrip()}\n```\n"


def test_the_reference_is_what_help_says() -> None:
    assert COMMANDS_MD.read_text("utf-8") == reference(), "run python tests/docs/test_commands.py"


if __name__ == "__main__":
    COMMANDS_MD.write_text(reference(), "utf-8")
