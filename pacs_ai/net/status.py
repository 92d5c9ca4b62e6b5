"""DIMSE status values, and what those of a peer mean."""

from enum import Enum, IntEnum


class Status(IntEnum):
    """Status values with a name (PS3.7 Annex C, PS3.4 Annex B.2.3)."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_INSTANCE = 0x0111
    NO_SUCH_INSTANCE = 0x0112
    NO_SUCH_EVENT = 0x0113
    INVALID_INSTANCE = 0x0117
    CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION = 0x0123
    UNRECOGNIZED_OPERATION = 0x0211
    MISTYPED_ARGUMENT = 0x0212
    OUT_OF_RESOURCES = 0xA700
    CANNOT_UNDERSTAND = 0xC000
    HANDLER_FAILED = 0xC001


class Verdict(Enum):
    """What the status of a C-STORE response means for the delivery."""

    SUCCESS = "success"
    WARNING = "warning"
    RETRY = "retry"
    REFUSED = "refused"

    @property
    def delivered(self) -> bool:
        """Tell whether the peer has the instance."""
        return self in (Verdict.SUCCESS, Verdict.WARNING)


PENDING = frozenset({0xFF00, 0xFF01})
"""Statuses of a C-FIND response that carries a match (PS3.4 Section C.4.1.1.4)."""

_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})
"""Warnings outside 0xBxxx: requested optional attributes, attribute list, value range."""

_WARNING_RANGE = range(0xB000, 0xC000)
_TRANSIENT_RANGE = range(0xA700, 0xA800)
_TRANSIENT = frozenset({0x0213})
"""Failures outside 0xA7xx that may pass: resource limitation."""


def classify(status: int | None) -> Verdict:
    """Return what the status of a C-STORE response means.

    Parameters
    ----------
    status
        Status of the response; None for no answer.

    Returns
    -------
    Verdict
        SUCCESS for 0x0000, WARNING where the peer has stored with a remark, RETRY where time may
        help (0xA7xx, no answer), REFUSED where the peer objects to the object itself.

    Notes
    -----
    PS3.4 Annex B.2.3, PS3.7 Annex C.
    """
    if status is None:
        return Verdict.RETRY
    if status == Status.SUCCESS:
        return Verdict.SUCCESS
    if status in _WARNINGS or status in _WARNING_RANGE:
        return Verdict.WARNING
    if status in _TRANSIENT or status in _TRANSIENT_RANGE:
        return Verdict.RETRY
    return Verdict.REFUSED
