"""What the HTML pages share: their values, their frame, and pictures inside of them."""

import base64
import json
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write
from pacs_ai.pages.frame import page
from training.run.provenance import Provenance


def read_values(path: Path, remedy: str) -> dict[str, Any]:
    """Read the values of a page from a JSON file.

    Raises
    ------
    DataError
        If it cannot be read; names the file and ``remedy``.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {remedy}") from error


def write_page(path: Path, title: str, lead: str, sections: Iterable[str]) -> None:
    """Write a page of HTML sections; see `pacs_ai.pages.frame.page`."""
    atomic_write(path, page(title, lead, sections))


def provenance_section(values: Mapping[str, Any]) -> str:
    """Write the hashes of what the values of a page were made from, "" if they are not recorded."""
    found = Provenance.read(values)
    if found is None:
        return ""
    lines = "".join(f"<li><code>{escape(line)}</code></li>" for line in found.lines())
    return f"<section><h2>Made from</h2><ul>{lines}</ul></section>"


def image(png: bytes, label: str) -> str:
    """Write a PNG picture as an element that needs no other file."""
    data = base64.b64encode(png).decode()
    return f'<img alt="{escape(label)}" src="data:image/png;base64,{data}">'
