"""Which representation a client accepts (PS3.18 Section 8.7, RFC 9110 Section 12.5.1)."""

import re
from collections.abc import Iterator

from pacs_ai.dicomweb.errors import RequestRefused
from pacs_ai.dicomweb.multipart import media_type

_ANY = "*/*"
_PIECES = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')


def accepted(header: str) -> Iterator[tuple[str, str]]:
    """Give the media types that a client accepts, each with the transfer syntax that it names.

    Of a body of several parts it is the type of the parts. "" stands for any.
    """
    for piece in _PIECES.split(header or _ANY):
        kind, parameters = media_type(piece.strip())
        if kind == "multipart/related":
            kind = parameters.get("type", _ANY).lower()
        syntax = parameters.get("transfer-syntax", "")
        yield "" if kind == _ANY else kind, "" if syntax == "*" else syntax


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
