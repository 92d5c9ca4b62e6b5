"""``pacs-ai models import``, whose options `pacs_ai.cli.import_model` has."""

import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from training.cli import need_extra
from training.cli.options import print_result

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
    from training.foreign.importing import import_network
    from training.foreign.settings import Said

    made = import_network(
        network, Said(size=_size(size), **said), out, lambda line: print(line, file=sys.stderr)
    )
    maps = f"no heat maps: {made.unexplained}" if made.unexplained else "heat maps are exact"
    print_result(
        {**asdict(made), "bundle": str(made.bundle)},
        as_json=as_json,
        otherwise=f"{made.bundle}: {len(made.classes)} classes, {made.activation}; {maps}",
    )


def _size(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    found = _SIZE.fullmatch(given)
    if found is None:
        raise typer.BadParameter("a size is HEIGHTxWIDTH, such as 224x224", param_hint="--size")
    return int(found[1]), int(found[2])
