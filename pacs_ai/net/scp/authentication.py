"""User identity of callers, with growing pauses after wrong passcodes (PS3.7 Annex D.3.3.7)."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from pacs_ai.net.faults import ConnectionCut
from pacs_ai.net.scp.associate_request import AssociateRequest, UserIdentity
from pacs_ai.net.scp.connection import Connection
from pacs_ai.net.scp.rate_limited_log import limited_log
from pacs_ai.net.users import USERNAME_AND_PASSCODE, Users

_FIRST_SECONDS = 0.5
_MOST_SECONDS = 8.0
"""The pause after a failure doubles, from the first to the longest."""
_FORGIVEN_SECONDS = 600.0
"""After this time without a failure an address starts with the first pause again."""
_ADDRESSES = 1024
_LONGEST_NAME = 64
_LOOK_SECONDS = 0.1
"""How often to check whether a caller who has to wait was cut off."""


@dataclass(slots=True)
class _Record:
    failures: int = 0
    next_at: float = 0.0


class Attempts:
    """Checks the user identities of each address one after another, with a pause after a failure.

    More connections do not make guessing faster, and other addresses do not wait.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def judge(
        self, address: str, identity: UserIdentity | None, users: Users, now: float
    ) -> str | float:
        """Return how long to wait before this identity is checked, or why it is refused.

        Parameters
        ----------
        address
            Address of the caller.
        identity
            What the caller shows.
        now
            Monotonic clock, in seconds.

        Returns
        -------
        str or float
            "" for a user with the right passcode, the reason for another one, or seconds to wait.
        """
        with self._lock:
            record = self._records.get(address, _Record())
            if now < record.next_at:
                return record.next_at - now
            reason = refusal_of(identity, users)
            if not reason:
                self._records.pop(address, None)
                return ""
            if now - record.next_at > _FORGIVEN_SECONDS:
                record.failures = 0
            pause = min(_FIRST_SECONDS * 2 ** min(record.failures, 10), _MOST_SECONDS)
            record.failures += 1
            record.next_at = now + pause
            self._records[address] = record
            self._records.move_to_end(address)
            if len(self._records) > _ADDRESSES:
                self._records.popitem(last=False)
            return reason


def identified(
    attempts: Attempts, request: AssociateRequest, users: Users | None, connection: Connection
) -> bool:
    """Tell whether a caller may go on: no users are configured, or it is one of them.

    Raises
    ------
    ConnectionCut
        If the time for its request ends before its identity was checked.
    """
    if users is None:
        return True
    identity, peer = request.identity, connection.peer_ip
    while not isinstance(verdict := attempts.judge(peer, identity, users, time.monotonic()), str):
        time.sleep(min(verdict, _LOOK_SECONDS))
        if connection.buffer.cut:
            raise ConnectionCut("no time left to identify the caller")
    if verdict:
        limited_log.warning(
            "user refused",
            peer=peer,
            calling_aet=request.calling_aet,
            user=shown_name(identity),
            reason=verdict,
        )
    return not verdict


def refusal_of(identity: UserIdentity | None, users: Users) -> str:
    """Return why an identity is refused, "" if it is not; without the passcode."""
    if identity is None:
        return "no user identity"
    if identity.type != USERNAME_AND_PASSCODE:
        return f"user identity of type {identity.type}, not 2 (username and passcode)"
    if users.admit(identity.primary, identity.secondary):
        return ""
    return "wrong passcode" if users.knows(identity.primary) else "unknown user"


def shown_name(identity: UserIdentity | None) -> str:
    """Return the user name for the log, escaped and shortened."""
    if identity is None or identity.type != USERNAME_AND_PASSCODE:
        return ""
    name = identity.primary[:_LONGEST_NAME].decode("utf-8", "backslashreplace")
    return name.encode("unicode_escape").decode("ascii")
