"""``pacs-ai models import``, whose options `pacs_ai.cli.import_model` has."""

import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from training.cli import need_extra
from training.cli.chatter import hide_chatter
from training.cli.options import print_result

_SECONDS = 600.0
_MEMORY = 4 << 30
_COPIES, _COPIES_CONVERTED = 12, 120
"""How often the file may lie in memory beside that: TensorFlow and its converter take 7.3 GB for a
ResNet50 of 98 MB.
"""

_SIZE = re.compile(r"(\d{2,4})[xX](\d{2,4})")


def import_model(
    network: Path,
    *,
    out: Path,
    size: str | None,
    as_json: bool,
    **said: Any,  # noqa: ANN401 - as `training.foreign.settings.Said` takes them
) -> None:
    """Make a bundle of a network that was trained elsewhere, and print what became of it."""
    need_extra("onnx", "tomli_w")
    hide_chatter()
    from training.foreign.importing import import_network
    from training.foreign.limits import within_limits
    from training.foreign.settings import Said
    from training.run.disk import remove_draft

    given = Said(size=_size(size), **said)
    try:
        made = within_limits(
            import_network,
            *(network, given, out, _say),
            seconds=_SECONDS,
            memory=memory_limit(network),
        )
    finally:
        remove_draft(out)
    maps = f"no heat maps: {made.unexplained}" if made.unexplained else "heat maps are exact"
    print_result(
        {**asdict(made), "bundle": str(made.bundle)},
        as_json=as_json,
        otherwise=f"{made.bundle}: {len(made.classes)} classes, {made.activation}; {maps}",
    )


def memory_limit(network: Path) -> int:
    """Return how many bytes of memory the import of a file may have."""
    size = network.stat().st_size if network.is_file() else 0
    return _MEMORY + size * (_COPIES if network.suffix.lower() == ".onnx" else _COPIES_CONVERTED)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _size(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    found = _SIZE.fullmatch(given)
    if found is None:
        raise typer.BadParameter("a size is HEIGHTxWIDTH, such as 224x224", param_hint="--size")
    return int(found[1]), int(found[2])
