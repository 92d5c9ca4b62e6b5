"""Retrieve what the node holds (WADO-RS, PS3.18 Section 10.4)."""

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from pacs_ai.dicom.frames import UNCOMPRESSED
from pacs_ai.dicom.json_model import PIXELS, json_model, large_value, tag_of
from pacs_ai.dicom.part10 import DEFLATED, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from pacs_ai.dicom.transfer import SentFrame, explicit_little, sent_frame, stored_syntax
from pacs_ai.dicomweb.errors import RequestRefused
from pacs_ai.dicomweb.links import ROOT, instance_url
from pacs_ai.dicomweb.view import View, picture
from pacs_ai.errors import UnsupportedPixels
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.held import Held, find_held

_NOT_FOUND = 404
_NOT_ACCEPTABLE = 406
_PIECE = 1 << 18

MEDIA_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
"""Of compressed frames, by transfer syntax (PS3.18 Table 8.7.3-5)."""

OCTETS = "application/octet-stream"


class Retrieval:
    """Finds and reads what the node holds.

    Parameters
    ----------
    context
        The node.
    base
        URL of the server.
    """

    def __init__(self, context: FlowContext, base: str) -> None:
        self._context = context
        self._base = base.rstrip("/") + ROOT

    def find(self, study: str, series: str = "", instance: str = "") -> list[Held]:
        """Return the instances with these UIDs; "" stands for any.

        Raises
        ------
        RequestRefused
            If there is none.
        """
        with self._context.database.read() as session:
            found = find_held(session, study, series, instance)
        if not found:
            raise RequestRefused("the node holds nothing with these UIDs", _NOT_FOUND)
        return found

    def path_of(self, held: Held) -> Path:
        """Return the file of an instance."""
        return self._context.spool.path_of(held.path)

    def files(self, found: Sequence[Held], syntaxes: Collection[str]) -> list[Iterator[bytes]]:
        """Return files in pieces, as they are or with another transfer syntax.

        Parameters
        ----------
        syntaxes
            Transfer syntaxes that the client takes; "" or "*" for any.

        Raises
        ------
        RequestRefused
            If one has none of these, and cannot get it.
        """
        return [self._file(self.path_of(held), syntaxes) for held in found]

    def _file(self, path: Path, syntaxes: Collection[str]) -> Iterator[bytes]:
        if not {"", "*"}.isdisjoint(syntaxes):
            return file_pieces(path)
        stored = stored_syntax(path)
        if stored in syntaxes:
            return file_pieces(path)
        if stored in (IMPLICIT_LITTLE, DEFLATED) and EXPLICIT_LITTLE in syntaxes:
            return (explicit_little(one) for one in (path,))  # one at a time is in memory
        raise RequestRefused(
            f"an instance has the transfer syntax {stored}: accept that one, or *", _NOT_ACCEPTABLE
        )

    def metadata(self, found: Sequence[Held]) -> Iterator[dict[str, Any]]:
        """Give the attributes of instances, large values by their addresses."""
        for held in found:
            url = f"{instance_url(self._base, held)}/bulkdata"
            yield json_model(self.path_of(held), partial("{}/{}".format, url))

    def bulk_data(self, held: Held, tag: str) -> Iterator[bytes]:
        """Give the value of an element; of pixel data the frames, decoded one after the other.

        Raises
        ------
        RequestRefused
            If there is no such element.
        """
        if tag.upper() in PIXELS:
            first = json_model(self.path_of(held), lambda _: "")
            frames = first.get("00280008", {}).get("Value", [1])[0]
            begin = self.frames(held, [1], decoded=True)  # a refusal comes before the answer begins
            others = (self.frames(held, [one], decoded=True) for one in range(2, int(frames) + 1))
            return (one.content for some in chain([begin], others) for one in some)
        value = large_value(self.path_of(held), tag) if tag_of(tag) else None
        if value is None:
            raise RequestRefused("the instance has no such element", _NOT_FOUND)
        return iter([value])

    def frames(self, held: Held, numbers: Sequence[int], *, decoded: bool) -> list[SentFrame]:
        """Return frames, counted from 1.

        Raises
        ------
        RequestRefused
            If there is no such frame.
        """
        try:
            return [sent_frame(self.path_of(held), one, decoded=decoded) for one in numbers]
        except UnsupportedPixels as error:
            raise RequestRefused(error.message, _NOT_FOUND) from error

    def sends_stored(self, held: Held, wanted: Sequence[tuple[str, str]]) -> bool:
        """Tell whether a client takes frames as they are stored; else it takes them decoded.

        Parameters
        ----------
        wanted
            Media types with transfer syntaxes, as of `pacs_ai.dicomweb.accept.accepted`. Octets
            without a transfer syntax are decoded values (PS3.18 Section 8.7.3.5.2).

        Raises
        ------
        RequestRefused
            If it takes neither.
        """
        stored = stored_syntax(self.path_of(held))
        kinds = ("", "image/*", OCTETS, MEDIA_TYPES.get(stored, OCTETS))
        named = [
            (kind, syntax or (EXPLICIT_LITTLE if kind == OCTETS else "*"))
            for kind, syntax in wanted
        ]
        if any(kind in kinds and syntax in ("*", stored) for kind, syntax in named):
            return True
        if any(kind in ("", OCTETS) and syntax in UNCOMPRESSED for kind, syntax in named):
            return False
        raise RequestRefused(
            f"frames are available as {kinds[-1]}; transfer-syntax={stored}, or as {OCTETS};"
            f" transfer-syntax={EXPLICIT_LITTLE}",
            _NOT_ACCEPTABLE,
        )

    def rendered(self, held: Held, frame: int, kind: str, view: View) -> bytes:
        """Return a frame as a picture that anybody can show.

        Parameters
        ----------
        kind
            One of `pacs_ai.dicomweb.view.FORMATS`.

        Raises
        ------
        RequestRefused
            If the instance is no image, or has no such frame.
        """
        try:
            return picture(self.path_of(held), frame, view, kind)
        except UnsupportedPixels as error:
            raise RequestRefused(error.message, _NOT_FOUND) from error


def file_pieces(path: Path) -> Iterator[bytes]:
    """Give the content of a file in pieces."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
