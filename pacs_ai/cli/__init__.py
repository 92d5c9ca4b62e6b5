"""The command line: finds the module of a command, everything else is in that module.

Nothing but the standard library may be imported here: help and version answer at once.
"""

from collections.abc import Sequence

from pacs_ai import __version__
from pacs_ai.cli.commands import COMMANDS, overview

_HELP = ("-h", "--help", "help")


def run(arguments: Sequence[str]) -> int:
    """Run the command that the command line names.

    Returns
    -------
    int
        0 done, 1 failed, 2 usage or configuration, 3 peer unreachable, 4 data rejected,
        130 interrupted.
    """
    common, words = _split(list(arguments))
    if not words or words[0] in _HELP:
        print(overview())
        return 0
    if words[0] == "--version":
        print(f"pacs-ai {__version__}")
        return 0
    from pacs_ai.cli.dispatch import complain, dispatch

    name = words[0]
    if name not in COMMANDS:
        kind = "option" if name.startswith("-") else "command"
        return complain("USAGE", f"no {kind} {name!r}; pacs-ai --help lists what there is", 2)
    module, _ = COMMANDS[name]
    return dispatch(module, name, [*words[1:], *common])


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Separate the common options that stand before the command from the rest."""
    common: list[str] = []
    while words and (words[0] in ("-v", "--verbose") or words[0].startswith("--config")):
        taken = 2 if words[0] == "--config" else 1
        common += words[:taken]
        words = words[taken:]
    return common, words
