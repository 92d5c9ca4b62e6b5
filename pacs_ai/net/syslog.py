"""Send messages by syslog over TLS (RFC 5425), each in the form of RFC 5424."""

import socket
from datetime import datetime
from types import TracebackType
from typing import Self

from pacs_ai.errors import PeerUnreachable
from pacs_ai.net.tls import ClientTls, secure

_PRIORITY = 10 * 8 + 5
"""Facility 10 (security), severity 5 (notice): PS3.15 Section A.6."""

_MESSAGE_ID = "DICOM+RFC3881"
_SECONDS = 10.0
_MARK = b"\xef\xbb\xbf"
"""UTF-8 follows (RFC 5424 Section 6.4)."""


class SyslogTls:
    """One connection to a syslog server; a context manager.

    Parameters
    ----------
    host, port
        The server.
    files
        Which authorities to trust, and what to show.

    Raises
    ------
    PeerUnreachable
        If there is no connection in time.
    TlsFailed
        If the server's certificate is refused, or TLS is not agreed.
    """

    def __init__(self, host: str, port: int, files: ClientTls) -> None:
        self._name = f"syslog {host}:{port}"
        try:
            plain = socket.create_connection((host, port), _SECONDS)
            try:
                self._socket = secure(plain, files, host, self._name)
            except BaseException:
                plain.close()
                raise
        except OSError as error:
            raise PeerUnreachable(f"{self._name}: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def send(self, at: datetime, node: str, message: str) -> None:
        """Send a message; syslog gives no answer, so a lost connection may lose the last ones.

        Parameters
        ----------
        at
            UTC time of the event.
        node
            Host name field.
        message
            Text, sent as UTF-8.

        Raises
        ------
        PeerUnreachable
            If the connection is lost.
        """
        moment = f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
        head = f"<{_PRIORITY}>1 {moment} {_word(node)} pacs-ai - {_MESSAGE_ID} - ".encode()
        content = head + _MARK + message.encode()
        try:
            self._socket.sendall(b"%d " % len(content) + content)
        except OSError as error:
            raise PeerUnreachable(f"{self._name}: {error.strerror or error}") from error


def _word(text: str) -> str:
    """Return a text as a field of the header: printable ASCII without spaces, "-" for none."""
    return "".join(sign if "!" <= sign <= "~" else "-" for sign in text)[:255] or "-"
