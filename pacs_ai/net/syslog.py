"""Send messages by syslog over TLS (RFC 5425), each in the form of RFC 5424."""

from datetime import datetime
from types import TracebackType
from typing import Self

from pacs_ai.errors import PeerUnreachable
from pacs_ai.net.connect import connect
from pacs_ai.net.tls import ClientTls

_PRIORITY = 10 * 8 + 5
"""Facility 10 (security), severity 5 (notice): PS3.15 Section A.6."""

_MESSAGE_ID = "DICOM+RFC3881"
_SECONDS = 10.0
_MARK = b"\xef\xbb\xbf"
"""UTF-8 follows (RFC 5424 Section 6.4)."""


class SyslogTls:
    """One connection to a syslog server; a context manager.

    Syslog has no answers. But TLS keeps the order: a server that answers the end of the session
    (close_notify), or closes the connection, has read all that was sent before. So messages count
    as sent when the ``with`` block has ended without an error.

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
    PeerUnreachable
        At the end of the block: if the server did not read to the end in time.
    """

    def __init__(self, host: str, port: int, files: ClientTls) -> None:
        self._name = f"syslog {host}:{port}"
        self._socket = connect(host, port, files, self._name, _SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with self._socket:
            if kind is None:
                self._finish()

    def _finish(self) -> None:
        """End the session, and wait until the server has read everything (RFC 5425 Section 4.4).

        A connection that is closed at once is reset, because the session tickets of the server were
        not read. A server that has not read everything by then loses it.
        """
        try:
            self._socket.unwrap().close()
        except (ConnectionError, TimeoutError) as error:
            raise PeerUnreachable(f"{self._name}: it did not read to the end: {error}") from error
        except OSError:  # the server closed the connection instead of the session
            return

    def send(self, at: datetime, node: str, message: str) -> None:
        """Send a message.

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
