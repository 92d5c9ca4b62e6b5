"""Errors of peers that are there and do not do what they are asked, by HTTP, HL7 or mail."""

from pacs_ai.errors import PeerError, StoreRefused


class LoginRefused(PeerError):
    """The peer does not let this node in. Look at user, password or token in its section."""

    code = "LOGIN_REFUSED"
    retryable = True


class PeerBusy(PeerError):
    """The peer answers that it cannot do it now. It is tried again; see the log of the peer."""

    code = "PEER_BUSY"
    retryable = True


class PeerRefusal(StoreRefused):
    """The peer refuses what it is asked. The message says with which answer; see its log.

    ``status`` is that of the answer, such as 404; 0 where it has none.
    """

    code = "PEER_REFUSED"

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message, status)
