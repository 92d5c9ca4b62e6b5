"""Boxes from XML files in Pascal VOC format."""

import xml.parsers.expat
from functools import lru_cache
from pathlib import Path

from pacs_ai.errors import DataError
from training.data.samples import Box

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(folder: Path, uid: str) -> list[Box]:
    """Read the boxes of one image; an empty list if it has no file.

    Parameters
    ----------
    folder
        Searched for ``UID.xml``, with all folders below.
    uid
        SOP Instance UID of the image.

    Returns
    -------
    list of Box
        (x0, y0, x1, y1) in pixels, half open.

    Raises
    ------
    DataError
        If the folder is missing or the file is damaged; names it.
    """
    path = _listing(folder).get(uid)
    return [] if path is None else _boxes(path)


@lru_cache(maxsize=4)
def _listing(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"no boxes: {folder} does not exist; data.boxes names it")
    return {path.stem: path for path in sorted(folder.rglob("*.xml"))}


def _boxes(path: Path) -> list[Box]:
    """Read the numbers of each ``bndbox``; XML entities are refused."""
    boxes: list[Box] = []
    sides: dict[str, str] = {}
    names: list[str] = []
    parser = xml.parsers.expat.ParserCreate()

    def start(name: str, _attributes: dict[str, str]) -> None:
        names.append(name)
        if name == "bndbox":
            sides.clear()

    def text(data: str) -> None:
        if names and names[-1] in _SIDES:
            sides[names[-1]] = sides.get(names[-1], "") + data

    def end(name: str) -> None:
        names.pop()
        if name == "bndbox":
            x0, y0, x1, y1 = (float(sides[side]) for side in _SIDES)
            boxes.append((x0, y0, x1, y1))

    def entity(*_parts: object) -> None:
        raise ValueError("entities")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, entity
    try:
        parser.Parse(path.read_bytes(), True)  # noqa: FBT003 - expat's own signature
    except (OSError, ValueError, KeyError, xml.parsers.expat.ExpatError) as error:
        raise DataError(f"{path}: cannot be read as Pascal VOC") from error
    if any(not (x0 < x1 and y0 < y1) for x0, y0, x1, y1 in boxes):
        raise DataError(f"{path}: a box must have xmin < xmax and ymin < ymax")
    return boxes
