"""HTTP sessions with a peer: our rules of TLS, no proxy, no redirection, an end to every wait."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import requests
import requests.exceptions as failures
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pacs_ai.errors import ConfigError, NoPasscode, PeerError, PeerUnreachable, TlsFailed
from pacs_ai.net import open_connections
from pacs_ai.net.http.address import WebAddress
from pacs_ai.net.http.time_limit import TimeLimit
from pacs_ai.net.tls import check_peer, client_context, tls_reason
from pacs_ai.net.users import read_passcode

T = TypeVar("T")

_SLOWEST = 128 << 10
"""Bytes a second of the slowest link."""
_PIECE = 64 << 10
_MOST_BYTES = 64 << 20
"""Longest answer that is held in memory."""


class WebSession(requests.Session):
    """A session of `requests` that keeps to the rules of this module.

    Parameters
    ----------
    address
        The peer; its password or token is read now.

    Raises
    ------
    NoPasscode
        If the password or the token cannot be read.
    TlsFailed
        If a file for TLS cannot be used.
    """

    def __init__(self, address: WebAddress) -> None:
        super().__init__()
        self.max_redirects = 0  # data and passwords go to the address that is configured
        self.trust_env = False  # no proxy and no password that the environment names
        self._address = address
        self._adapter = _Adapter(address)
        self.adapters.clear()
        for scheme in ("http://", "https://"):
            self.mount(scheme, self._adapter)
        self.headers["User-Agent"] = "pacs-ai"
        if address.token_file is not None:
            self.headers["Authorization"] = f"Bearer {_secret(address.token_file)}"
        elif address.user is not None:
            password = "" if address.password_file is None else _secret(address.password_file)
            self.auth = HTTPBasicAuth(address.user.encode(), password.encode())

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401 - those of requests
        """Send a request; a peer that answers drop by drop is cut off."""
        stream = options.pop("stream", False)
        size = int(request.headers.get("Content-Length") or 0)
        with TimeLimit(self.cut) as limit:
            response = self._waited(
                limit,
                self._address.timeout + size / _SLOWEST,
                partial(super().send, request, stream=True, **options),
            )
        if not stream:
            response._content = self._body(response)
        return response

    def cut(self) -> None:
        """End all connections, from another thread."""
        self._adapter.cut()

    def pieces(self, response: requests.Response) -> Iterator[bytes]:
        """Read a body piece by piece; a peer that sends it drop by drop is cut off."""
        content, size, waited = response.iter_content(_PIECE), 0, 0.0
        with TimeLimit(self.cut) as limit:
            while True:
                begun = time.monotonic()
                left = self._address.timeout + (size + _PIECE) / _SLOWEST - waited
                piece = self._waited(limit, left, lambda: next(content, b""))
                if not piece:
                    return
                waited += time.monotonic() - begun
                size += len(piece)
                yield piece

    def _waited(self, limit: TimeLimit, seconds: float, function: Callable[[], T]) -> T:
        """Wait for something; raises a time-out where it was cut off."""
        try:
            with limit.wait(seconds):
                result = function()
        except (failures.ConnectionError, failures.ChunkedEncodingError) as error:
            if not limit.over:
                raise
            raise failures.Timeout from error
        if limit.over:  # a body without a length has an end like any other
            raise failures.Timeout
        return result

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        for piece in self.pieces(response):
            body += piece
            if len(body) > _MOST_BYTES:
                response.close()
                raise PeerUnreachable(f"{self._address.name} sends an answer that is too long")
        return bytes(body)


@contextmanager
def web_session(address: WebAddress) -> Iterator[WebSession]:
    """Open a session, and say what fails in it in our own errors.

    Raises
    ------
    PeerUnreachable
        If there is no connection, or no answer in time.
    TlsFailed, NoPasscode
        If the peer, or what we would show it, cannot be trusted.
    PeerError
        If the answer is not HTTP.
    """
    session = WebSession(address)
    open_connections.opened(session)
    try:
        with in_our_errors(address):
            yield session
    finally:
        open_connections.closed(session)
        session.close()


@contextmanager
def in_our_errors(address: WebAddress) -> Iterator[None]:
    """Raise our own errors for those of the libraries; see `web_session`."""
    try:
        yield
    except failures.HTTPError:
        raise  # a status: who asks knows what it means
    except failures.SSLError as error:
        raise _tls_failed(address, error) from error
    except (failures.ConnectionError, failures.Timeout, failures.ChunkedEncodingError) as error:
        raise PeerUnreachable(f"{address.name}: {_reason(error)}") from error
    except (failures.RequestException, urllib3.exceptions.HTTPError) as error:
        raise PeerError(
            f"{address.name} gives an answer that is not HTTP: {type(error).__name__}"
        ) from error


def _secret(path: Path) -> str:
    try:
        return read_passcode(path)
    except ConfigError as error:
        raise NoPasscode(error.message) from None


def _tls_failed(address: WebAddress, error: BaseException) -> TlsFailed:
    inner = _innermost(error)
    reason = getattr(inner, "verify_message", None)
    if reason:
        return TlsFailed(f"{address.name}: its certificate is refused: {reason}")
    return TlsFailed(f"{address.name}: no TLS session: {tls_reason(inner)}")


def _reason(error: BaseException) -> str:
    if isinstance(error, failures.Timeout):
        return "no answer in time"
    inner = _innermost(error)
    return str(getattr(inner, "strerror", None) or "the connection was closed").lower()


def _innermost(error: BaseException) -> Exception:
    """Return the error of the system below those of the libraries."""
    seen = error
    while True:
        reason = getattr(seen, "reason", None)
        below = reason if isinstance(reason, BaseException) else seen.__cause__ or seen.__context__
        if below is None:
            return seen if isinstance(seen, Exception) else Exception()
        seen = below


class _Adapter(HTTPAdapter):
    """Connects; knows its open connections, and looks who is at their other end."""

    def __init__(self, address: WebAddress) -> None:
        self._address = address
        self._sockets: list[socket.socket] = []
        self._context = _tls_context(address) if address.url.startswith("https:") else None
        super().__init__(max_retries=0)
        self.poolmanager.pool_classes_by_scheme = _pools(self._connected)

    def build_connection_pool_key_attributes(
        self,
        request: requests.PreparedRequest,
        _verify: object,
        _cert: object = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Use our own context of TLS, and no authorities but those in it."""
        host, _options = super().build_connection_pool_key_attributes(request, verify=True)
        if host["scheme"] != "https":
            return host, {}
        return host, {"ssl_context": self._context, "assert_hostname": False}

    def cert_verify(self, _conn: object, _url: str, _verify: object, _cert: object) -> None:
        """Leave the context as it is; `check_peer` looks at the name."""

    def cut(self) -> None:
        """End all connections, from another thread."""
        for one in tuple(self._sockets):
            with suppress(OSError):  # the base method: that of an SSL socket drops the session
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    def _connected(self, sock: socket.socket) -> None:
        self._sockets.append(sock)
        if isinstance(sock, ssl.SSLSocket):
            check_peer(sock, self._address.tls, self._address.host, self._address.name)


def _tls_context(address: WebAddress) -> ssl.SSLContext:
    """Read the files of TLS; to trust the authorities of the system takes 50 ms or more."""
    try:
        return client_context(address.tls)
    except ConfigError as error:
        raise TlsFailed(f"{address.name}: {error.message}") from error


def _pools(connected: Callable[[Any], None]) -> dict[str, type[HTTPConnectionPool]]:
    """Make the pools of connections that tell when they are open, by scheme."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            connected(self.sock)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            connected(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
