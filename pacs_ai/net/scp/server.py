"""The Storage SCP of the node."""

from pacs_ai.errors import StateError
from pacs_ai.logs import get_logger
from pacs_ai.net.scp.handlers import CommitmentProvider, StorageHandlers
from pacs_ai.net.scp.listener import Listener
from pacs_ai.net.scp.settings import ServerSettings
from pacs_ai.net.tls import ServerTls

__all__ = ["DRAIN_SECONDS", "ServerSettings", "StorageServer"]

DRAIN_SECONDS = 3.0
"""How long running C-STOREs may take to end: service managers kill after ten seconds."""

_log = get_logger()


class StorageServer:
    """Receives instances and hands them to the node.

    Parameters
    ----------
    settings
        Where and how to listen.
    handlers
        Store what arrives.
    provider
        Answers storage commitment requests; None leaves them refused.
    """

    def __init__(
        self,
        settings: ServerSettings,
        handlers: StorageHandlers,
        provider: CommitmentProvider | None = None,
    ) -> None:
        self._settings = settings
        self._handlers = handlers
        self._provider = provider
        self._listener: Listener | None = None

    @property
    def port(self) -> int:
        """The plain port in use, 0 if it is closed.

        Raises
        ------
        StateError
            If the server is not started.
        """
        return self._running().port or 0

    @property
    def tls_port(self) -> int:
        """The TLS port in use, 0 if there is none."""
        return self._running().tls_port or 0

    @property
    def associations(self) -> int:
        """Number of associations at this moment."""
        return self._running().associations

    def start(self) -> None:
        """Start to listen; connections are accepted when this returns.

        Raises
        ------
        ConfigError
            If a port is taken, or a certificate cannot be used.
        StateError
            If it listens already.
        """
        if self._listener is not None:
            raise StateError("the listener runs already")
        settings = self._settings
        tls = ServerTls(settings.tls) if settings.tls is not None else None
        listener = Listener(settings, self._handlers, self._provider, tls)
        listener.start()
        self._listener = listener
        _log.info(
            "listening",
            ae_titles=",".join(settings.ae_titles),
            host=settings.host,
            port=listener.port,
            tls_port=listener.tls_port,
            acse_seconds=settings.acse_seconds,
            pdu_seconds=settings.pdu_seconds,
            idle_seconds=settings.idle_seconds,
            max_associations=settings.max_associations,
            associations_per_peer=settings.max_associations_per_peer,
            associations_per_minute=settings.associations_per_minute,
            max_pdu=settings.max_pdu,
            max_instance=settings.max_instance,
            max_command=settings.max_command,
        )

    def stop(self, grace_seconds: float = DRAIN_SECONDS) -> None:
        """Stop: running C-STOREs have a number of seconds to end, all else is aborted at once.

        If the listener does not run, nothing happens.
        """
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop(grace_seconds)

    def _running(self) -> Listener:
        if self._listener is None:
            raise StateError("the listener is not running")
        return self._listener
