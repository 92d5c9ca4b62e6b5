"""Deterministic UIDs: the same input and the same model give the same objects, run after run."""

import re
import uuid

NAMESPACE = uuid.UUID("5d0f8f0c-6a6f-5c3b-9c0e-9b8f1f2f6b1e")
"""Root of all UIDs derived here; changing it would orphan every result ever delivered."""

MAX_UID_LENGTH = 64
_ROOT = "2.25."
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")
_UID_CHARACTERS = re.compile(r"[0-9]+(\.[0-9]+)*")


def derived_uid(*key: str) -> str:
    """Return the UID that belongs to a key, always the same.

    Parameters
    ----------
    key
        Parts that together identify the object; joined with ``|``.

    Returns
    -------
    str
        ``2.25.`` and a name-based UUID as an integer, at most 44 characters.

    Notes
    -----
    PS3.5 Section B.2 (UUID derived UID), RFC 9562 Section 5.5 (version 5).
    """
    return _ROOT + str(uuid.uuid5(NAMESPACE, "|".join(key)).int)


IMPLEMENTATION_CLASS_UID = derived_uid("implementation class")
"""PS3.7 Section D.3.3.2: the same on the network and in files, for every release."""


def random_uid() -> str:
    """Make a UID that never was, for what is only a transaction (PS3.5 Section B.2)."""
    return _ROOT + str(uuid.uuid4().int)


def valid_uid(uid: str) -> bool:
    """Tell whether a UID obeys PS3.5 Section 9.1: digits and dots, no leading zero, 64 at most."""
    return len(uid) <= MAX_UID_LENGTH and _UID.fullmatch(uid) is not None


def storable_uid(uid: str) -> bool:
    """Tell whether a UID can be taken as it is: like `valid_uid`, leading zeros let through."""
    return len(uid) <= MAX_UID_LENGTH and _UID_CHARACTERS.fullmatch(uid) is not None
