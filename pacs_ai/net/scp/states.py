"""The association's state machine as a table (PS3.8 Section 9.2, Table 9-10), acceptor's part.

We never request a release, so states Sta4, Sta5, Sta7 and Sta9 to Sta12 do not occur. Sta3 and
Sta8 last only while we decide. In Sta13 bytes are dropped unread until the peer closes or ARTIM
expires: after a violation even their framing is unknown.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType


class State(IntEnum):
    """Numbered as in PS3.8 Section 9.2.2."""

    IDLE = 1
    AWAIT_REQUEST = 2
    AWAIT_DECISION = 3
    ESTABLISHED = 6
    AWAIT_RELEASE = 8
    AWAIT_CLOSE = 13


class Event(IntEnum):
    """Events: PDUs by their type (PS3.8 Section 9.3.1), then all others."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    P_DATA = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07
    UNKNOWN_PDU = 0x10
    VIOLATION = 0x11
    """A PDU of known type that breaks a rule, or a message that does."""
    ACCEPTED = 0x20
    """We accept the A-ASSOCIATE-RQ."""
    REJECTED = 0x21
    RELEASING = 0x22
    """Our response to the release request."""
    CLOSED = 0x30
    EXPIRED = 0x31
    """A deadline passed (ARTIM, or one of ours), or the node stops."""


class Action(StrEnum):
    """Named as in PS3.8 Tables 9-6 to 9-9; what each does is a method of `Association`."""

    DECIDE = "AE-6"
    ACCEPT = "AE-7"
    REJECT = "AE-8"
    TRANSFER = "DT-2"
    INDICATE_RELEASE = "AR-2"
    RELEASE = "AR-4"
    CLOSE = "AA-2"
    PEER_ABORTED = "AA-3"
    PEER_LOST = "AA-4"
    ABORT = "AA-8"


class Outcome(StrEnum):
    """How an association ended."""

    RELEASED = "released"
    ABORTED = "aborted"
    """By the peer."""
    LOST = "lost"
    """Connection closed without a release."""
    EXPIRED = "expired"
    """By us: a deadline passed."""
    VIOLATION = "violation"
    """By us: the peer broke the protocol."""
    STOPPED = "stopped"
    """By us: the node stops."""
    DISPLACED = "displaced"
    """By us: idle, and its place was needed for another address."""
    FAILED = "failed"
    """By us: a bug; the log has its class."""


PDU_EVENTS: Mapping[int, Event] = MappingProxyType(
    {int(event): event for event in Event if event < Event.UNKNOWN_PDU}
)

_PDUS = (*PDU_EVENTS.values(), Event.UNKNOWN_PDU, Event.VIOLATION)
_ABORT_ALL = dict.fromkeys((*_PDUS, Event.EXPIRED), (Action.ABORT, State.AWAIT_CLOSE))

_TABLE: dict[State, dict[Event, tuple[Action, State]]] = {
    # AA-1 of Sta2 is AA-8 here: the source is always the provider, so that reasons can be given.
    State.AWAIT_REQUEST: _ABORT_ALL
    | {
        Event.ASSOCIATE_RQ: (Action.DECIDE, State.AWAIT_DECISION),
        Event.ABORT: (Action.CLOSE, State.IDLE),
        Event.CLOSED: (Action.CLOSE, State.IDLE),
    },
    State.AWAIT_DECISION: {
        Event.ACCEPTED: (Action.ACCEPT, State.ESTABLISHED),
        Event.REJECTED: (Action.REJECT, State.AWAIT_CLOSE),
        Event.VIOLATION: (Action.ABORT, State.AWAIT_CLOSE),
        Event.EXPIRED: (Action.ABORT, State.AWAIT_CLOSE),
        Event.CLOSED: (Action.CLOSE, State.IDLE),
    },
    State.ESTABLISHED: _ABORT_ALL
    | {
        Event.P_DATA: (Action.TRANSFER, State.ESTABLISHED),
        Event.RELEASE_RQ: (Action.INDICATE_RELEASE, State.AWAIT_RELEASE),
        Event.ABORT: (Action.PEER_ABORTED, State.IDLE),
        Event.CLOSED: (Action.PEER_LOST, State.IDLE),
    },
    State.AWAIT_RELEASE: {
        Event.RELEASING: (Action.RELEASE, State.AWAIT_CLOSE),
        Event.VIOLATION: (Action.ABORT, State.AWAIT_CLOSE),
        Event.EXPIRED: (Action.ABORT, State.AWAIT_CLOSE),
        Event.CLOSED: (Action.PEER_LOST, State.IDLE),
    },
    State.AWAIT_CLOSE: dict.fromkeys((Event.CLOSED, Event.EXPIRED), (Action.CLOSE, State.IDLE)),
}

TRANSITIONS: Mapping[tuple[State, Event], tuple[Action, State]] = MappingProxyType(
    {(state, event): target for state, events in _TABLE.items() for event, target in events.items()}
)
"""(state, event) to (action, next state); other pairs cannot occur."""
