"""Listening sockets, the threads of the connections, and the watchdog of their deadlines."""

import math
import selectors
import socket
import threading
import time

from pacs_ai.errors import ConfigError
from pacs_ai.logs import get_logger
from pacs_ai.net.scp.admission import Admission
from pacs_ai.net.scp.association import Association
from pacs_ai.net.scp.connection import Connection, unmapped_address
from pacs_ai.net.scp.handlers import CommitmentProvider, StorageHandlers
from pacs_ai.net.scp.proxy_header import is_balancer
from pacs_ai.net.scp.rate_limited_log import limited_log
from pacs_ai.net.scp.settings import ServerSettings
from pacs_ai.net.scp.states import Outcome
from pacs_ai.net.tls import ServerTls

_log = get_logger()

_BACKLOG = 512
_LAST_WORD_SECONDS = 1.0
"""For a thread whose connection was cut to send its last PDU before the socket is shut down."""
_TICK_SECONDS = 0.25
"""How often the deadlines are checked."""
_EXHAUSTED_SECONDS = 0.05
"""Pause when the system has no descriptor left."""


class Listener:
    """Accepts connections and gives each a thread.

    Parameters
    ----------
    settings
        Where to listen, and limits.
    handlers
        Store what arrives.
    provider
        Answers storage commitment, None if the node does not.
    tls
        For the TLS port; None: there is none.
    """

    def __init__(
        self,
        settings: ServerSettings,
        handlers: StorageHandlers,
        provider: CommitmentProvider | None,
        tls: ServerTls | None,
    ) -> None:
        self._settings = settings
        self._handlers = handlers
        self._provider = provider
        self._admission = Admission(
            settings.max_associations,
            settings.max_associations_per_peer,
            settings.associations_per_minute,
            settings.max_pending,
            settings.reserved_pending,
        )
        self._selector = selectors.DefaultSelector()
        self._waker, self._wake = socket.socketpair()
        self._stopped = threading.Event()
        self._threads: set[threading.Thread] = set()
        self._service_threads = [
            threading.Thread(target=self._accept_all, name="net-accept", daemon=True),
            threading.Thread(target=self._watch, name="net-watchdog", daemon=True),
        ]
        self.port: int | None = None
        self.tls_port: int | None = None
        try:
            if settings.port is not None:
                self.port = self._open(settings.port, None)
            if tls is not None:
                self.tls_port = self._open(settings.tls_port, tls)
        except ConfigError:
            self._wake.close()
            self._waker.close()
            self._close_listening()
            raise

    @property
    def associations(self) -> int:
        """Number of associations."""
        return self._admission.associations

    def start(self) -> None:
        """Serve; connections that were made since the sockets listen are served as well."""
        self._selector.register(self._wake, selectors.EVENT_READ)
        for thread in self._service_threads:
            thread.start()

    def stop(self, grace_seconds: float) -> None:
        """Stop accepting, let running messages end, and leave no thread behind."""
        self._waker.close()
        self._service_threads[0].join()
        deadline = time.monotonic() + grace_seconds
        for association in self._admission.all_connections():
            association.stopping = True
            if not association.busy:
                association.connection.cut(Outcome.STOPPED)
        self._join_until(deadline)
        for association in self._admission.all_connections():
            association.connection.cut(Outcome.STOPPED)
        self._join_until(time.monotonic() + _LAST_WORD_SECONDS)
        for association in self._admission.all_connections():
            association.connection.kill()
        self._stopped.set()
        self._service_threads[1].join()

    def _join_until(self, deadline: float) -> None:
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _open(self, port: int, tls: ServerTls | None) -> int:
        """Listen on a port; return its number."""
        host = self._settings.host
        listening = socket.socket(family_of(host), socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._settings.reuse_port:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listening.bind((host, port))
            listening.listen(_BACKLOG)
        except (OSError, OverflowError) as error:
            listening.close()
            raise cannot_listen(host, port, error) from error
        listening.settimeout(0)
        self._selector.register(listening, selectors.EVENT_READ, tls)
        bound: int = listening.getsockname()[1]
        return bound

    def _accept_all(self) -> None:
        """Accept until woken; nothing here waits for data of a peer."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake:
                    self._close_listening()
                    return
                self._accept(key)

    def _close_listening(self) -> None:
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _accept(self, key: selectors.SelectorKey) -> None:
        """Take one connection and start its thread."""
        listening = key.fileobj
        if not isinstance(listening, socket.socket):
            return
        try:
            sock, address = listening.accept()
        except BlockingIOError:
            return
        except OSError as error:
            limited_log.warning("connection not accepted", errno=error.errno)
            self._stopped.wait(_EXHAUSTED_SECONDS)
            return
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer_ip = unmapped_address(address[0])
        connection = Connection(
            sock,
            peer_ip,
            self._settings.acse_seconds,
            key.data,
            proxied=is_balancer(peer_ip, self._settings.balancers),
        )
        association = Association(
            connection, self._settings, self._handlers, self._provider, self._admission
        )
        thread = threading.Thread(
            target=self._serve, args=(association,), name="net-association", daemon=True
        )
        self._admission.add(association)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            limited_log.warning("no thread for a connection")
            self._forget(association, thread)

    def _serve(self, association: Association) -> None:
        """Body of a connection's thread."""
        try:
            association.run()
        except Exception as error:  # noqa: BLE001 - the text of a bug may quote what a peer sent
            _log.error("association failed unexpectedly", error=type(error).__name__)
        finally:
            self._forget(association, threading.current_thread())

    def _forget(self, association: Association, thread: threading.Thread) -> None:
        association.connection.close()
        self._admission.remove(association)
        self._threads.discard(thread)

    def _watch(self) -> None:
        """Cut connections whose deadline has passed, and kill those that do not react."""
        settings = self._settings
        shortest = min(settings.acse_seconds, settings.pdu_seconds, settings.idle_seconds)
        while not self._stopped.wait(min(_TICK_SECONDS, shortest / 4)):
            now = time.monotonic()
            for association in self._admission.all_connections():
                connection = association.connection
                if now < connection.buffer.deadline:
                    continue
                if connection.buffer.cut:
                    connection.kill()
                    connection.buffer.deadline = math.inf
                else:
                    connection.buffer.deadline = now + _LAST_WORD_SECONDS
                    connection.cut(Outcome.EXPIRED)


def family_of(host: str) -> socket.AddressFamily:
    """Return the address family of a host."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def cannot_listen(host: str, port: int, error: Exception) -> ConfigError:
    """Make the error for an address or a port that cannot be used."""
    reason = str(getattr(error, "strerror", None) or error).lower()
    return ConfigError(f"cannot listen on {host} port {port}: {reason}")
