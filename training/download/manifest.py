"""Lists of series: ``.tcia`` manifests of the archive, and plain lists."""

import re
from pathlib import Path

from pacs_ai.errors import DataError
from pacs_ai.uids import storable_uid

_HEADER = re.compile(r"^[A-Za-z]+=")
_UID = re.compile(r"^[0-9.]+$")


def read_manifest(path: Path) -> list[str]:
    """Read the Series Instance UIDs of a manifest, in order and without duplicates.

    It may have any number of header lines (``name=value``), Windows line ends, blank lines,
    duplicates, and further columns after ``|``.

    Raises
    ------
    DataError
        If it cannot be read, a line is not a UID, or it is empty; names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a manifest ({type(error).__name__})") from error
    uids: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or _HEADER.match(stripped):
            continue
        uid = next((part.strip() for part in stripped.split("|") if _UID.match(part.strip())), "")
        if not storable_uid(uid):
            raise DataError(f"{path}, line {number}: not a Series Instance UID")
        uids.setdefault(uid)
    if not uids:
        raise DataError(f"{path} lists no series")
    return list(uids)
