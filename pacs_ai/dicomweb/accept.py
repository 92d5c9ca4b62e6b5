"""Which representation a client accepts (PS3.18 Section 8.7, RFC 9110 Section 12.5.1)."""

import re
from collections.abc import Iterator

from pacs_ai.dicomweb.errors import RequestRefused
from pacs_ai.net.http.multipart import media_type

JSON, XML = "application/dicom+json", "application/dicom+xml"
KINDS = (JSON, "application/json", XML)
"""Of data sets without large values."""

_ANY = "*/*"
_WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")
_PIECES = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')


def accepted(header: str) -> Iterator[tuple[str, str]]:
    """Give the media types that a client accepts, each with the transfer syntax that it names.

    The most wanted comes first. Of a body of several parts it is the type of the parts. A media
    type of "" stands for any, a transfer syntax of "" for none that is named, and "*" for any.
    """
    pieces = [media_type(piece.strip()) for piece in _PIECES.split(header or _ANY)]
    pieces = [piece for piece in pieces if _weight(piece) > 0]
    for kind, parameters in sorted(pieces, key=_weight, reverse=True):
        part = parameters.get("type", _ANY).lower() if kind == "multipart/related" else kind
        yield "" if part == _ANY else part, parameters.get("transfer-syntax", "")


def _weight(piece: tuple[str, dict[str, str]]) -> float:
    text = piece[1].get("q", "1")
    return float(text) if _WEIGHT.fullmatch(text) else 1.0


def require(header: str, *kinds: str) -> str:
    """Return the first of some media types that a client accepts.

    Raises
    ------
    RequestRefused
        If it accepts none.
    """
    wanted = [kind for kind, _ in accepted(header)]
    for kind in wanted:
        if kind in kinds:
            return kind
        if kind in ("", f"{kinds[0].partition('/')[0]}/*"):
            return kinds[0]
    raise RequestRefused(f"this is available as {', '.join(kinds)}", 406)
