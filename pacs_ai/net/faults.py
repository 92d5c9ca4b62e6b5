"""Errors that end an association before its release."""

from enum import IntEnum

from pacs_ai.errors import PeerError, PeerUnreachable


class AbortReason(IntEnum):
    """Reason/Diag. of an A-ABORT from the service provider (PS3.8 Table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


class ConnectionGone(PeerUnreachable):
    """The peer closed the connection. Look at the peer if it should have released first."""

    code = "CONNECTION_GONE"


class ConnectionCut(PeerError):
    """The node cut the connection: a deadline passed, or it stops. The reason is in the log."""

    code = "CONNECTION_CUT"


class ProtocolViolation(PeerError):
    """The peer broke a rule of PS3.7 or PS3.8. Nothing of the current message was kept.

    Parameters
    ----------
    message
        Which rule was broken.
    reason
        What the A-ABORT says.
    """

    code = "PROTOCOL_VIOLATION"
    retryable = True

    def __init__(self, message: str, reason: AbortReason = AbortReason.INVALID_PARAMETER) -> None:
        super().__init__(message)
        self.reason = reason
