"""The page docs/cli.md, made from the commands.

``python -m pacs_ai.cli.reference > docs/cli.md`` makes it again.
"""

import sys
from collections.abc import Iterator

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from pacs_ai.cli.commands import COMMANDS, overview
from pacs_ai.cli.dispatch import command
from pacs_ai.cli.options import HELP_OPTIONS

_WIDTH = 96


def reference() -> str:
    """Return the page as Markdown: what ``--help`` says at every level."""
    lines = [
        "# Commands",
        "",
        "What `--help` prints; a test keeps this page the same. The configuration file is",
        "explained in [deploy/pacs-ai.toml](../deploy/pacs-ai.toml), error codes in",
        "[operations.md](operations.md).",
        "",
        "```text",
        overview(),
        "```",
        "",
    ]
    for name, (module, _) in COMMANDS.items():
        lines += _section(f"pacs-ai {name}", get_command(command(module, name)), level=2)
    return "\n".join(lines)


def _section(path: str, chosen: object, *, level: int) -> Iterator[str]:
    assert isinstance(chosen, TyperCommand | TyperGroup)  # noqa: S101 - Typer makes no others
    context = chosen.make_context(
        path, [], resilient_parsing=True, terminal_width=_WIDTH, help_option_names=HELP_OPTIONS
    )
    yield f"{'#' * level} `{path}`"
    yield ""
    yield "```text"
    yield chosen.get_help(context)
    yield "```"
    yield ""
    if isinstance(chosen, TyperGroup):
        for name, inner in chosen.commands.items():
            yield from _section(f"{path} {name}", inner, level=level + 1)


if __name__ == "__main__":
    sys.stdout.write(reference())
