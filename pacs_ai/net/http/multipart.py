"""Bodies of several parts (RFC 2046 Section 5.1): read while they arrive, and written."""

import re
from collections.abc import Iterable, Iterator
from email.message import Message
from enum import Enum, auto
from typing import Protocol

from pacs_ai.errors import PacsAIError

_MAX_HEADERS = 16 << 10
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,199}[0-9A-Za-z'()+_,\-./:=?]")
"""RFC 2046 allows 70 characters; Orthanc sends 73."""
_END_OF_HEADERS = b"\r\n\r\n"
_BOUNDARY_LINE = re.compile(rb"--|[ \t]*\r\n")
"""What follows a boundary."""
_MAYBE_BOUNDARY = re.compile(rb"-?|[ \t]*\r?")
"""The begin of that."""


class MultipartBroken(PacsAIError):
    """A body of several parts is cut off, or has another form than it states. It is sent again."""

    code = "MULTIPART_BROKEN"
    retryable = True


class PartSink(Protocol):
    """Takes the parts of a body, one after the other."""

    def begin(self, media_type: str) -> None:
        """Begin a part; its media type, "" if none is stated."""
        ...

    def write(self, data: bytes) -> None:
        """Take some bytes of the part."""
        ...

    def end(self) -> None:
        """End the part: all its bytes have come."""
        ...


class _State(Enum):
    BEFORE = auto()
    HEADERS = auto()
    PART = auto()
    AFTER = auto()


class MultipartReader:
    """Divides a body into its parts, whatever the pieces in which it arrives.

    No more is kept than the headers of a part, or what may be the begin of a boundary.

    Parameters
    ----------
    boundary
        As the header field Content-Type states it.
    sink
        Takes the parts.

    Raises
    ------
    MultipartBroken
        If the boundary is none.
    """

    def __init__(self, boundary: str, sink: PartSink) -> None:
        if not _BOUNDARY.fullmatch(boundary):
            raise MultipartBroken("the Content-Type states no valid boundary")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._sink = sink
        self._state = _State.BEFORE
        self._kept = bytearray(b"\r\n")  # the first boundary may stand at the very begin

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body.

        Raises
        ------
        MultipartBroken
            If the headers of a part are too long.
        """
        self._kept += data
        while self._read_headers() if self._state is _State.HEADERS else self._read_part():
            pass

    def finish(self) -> None:
        """Note that the body has ended.

        Raises
        ------
        MultipartBroken
            If its last boundary has not come.
        """
        if self._state is not _State.AFTER:
            raise MultipartBroken("the body ends in the middle of a part")

    def _read_headers(self) -> bool:
        """Read what follows a boundary; False if more has to come first."""
        if self._kept.startswith(b"--"):
            self._state = _State.AFTER
            return True
        end = self._kept.find(_END_OF_HEADERS)
        if end < 0:
            if len(self._kept) > _MAX_HEADERS:
                raise MultipartBroken("the headers of a part are too long")
            return False
        self._sink.begin(_content_type(bytes(self._kept[:end])))
        del self._kept[: end + len(_END_OF_HEADERS)]
        self._state = _State.PART
        return True

    def _read_part(self) -> bool:
        """Hand on what is certain to belong to a part; False if more has to come first."""
        if self._state is _State.AFTER:
            self._kept.clear()
            return False
        at = self._kept.find(self._delimiter)
        if at < 0:
            self._hand_on(len(self._kept) - len(self._delimiter) + 1)
            return False
        after = at + len(self._delimiter)
        if _MAYBE_BOUNDARY.fullmatch(self._kept, after):
            self._hand_on(at)
            return False
        if not _BOUNDARY_LINE.match(self._kept, after):  # a longer word that begins as a boundary
            self._hand_on(after)
            return True
        self._hand_on(at)
        if self._state is _State.PART:
            self._sink.end()
        del self._kept[: len(self._delimiter)]
        self._state = _State.HEADERS
        return True

    def _hand_on(self, count: int) -> None:
        if count > 0 and self._state is _State.PART:
            self._sink.write(bytes(self._kept[:count]))
        del self._kept[: max(0, count)]


def _content_type(lines: bytes) -> str:
    for line in lines.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return media_type(value.strip())[0]
    return ""


def media_type(value: str) -> tuple[str, dict[str, str]]:
    """Take a media type apart: its name in lower case, and its parameters (RFC 9110 8.3.1)."""
    message = Message()
    message["content-type"] = value
    parameters = message.get_params() or []
    return parameters[0][0].lower() if parameters else "", {
        name.lower(): text for name, text in parameters[1:]
    }


def written(parts: Iterable[tuple[str, Iterable[bytes]]], boundary: str) -> Iterator[bytes]:
    """Write parts, each a media type with its content in pieces."""
    for kind, pieces in parts:
        yield f"\r\n--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode("ascii")
        yield from pieces
    yield f"\r\n--{boundary}--\r\n".encode("ascii")
