"""What stands in place of identifiers: the same for the same in one export, and in no other."""

import base64
import hmac
import uuid
from datetime import timedelta
from hashlib import sha256

_NAME_BYTES = 10
"""80 bits: two patients of one export never share a name."""
_LEAST_DAYS, _SPAN_DAYS = 366, 3652
_DAY = 86_400


class Pseudonyms:
    """Makes other identifiers with a secret; without it nobody finds the way back.

    Parameters
    ----------
    secret
        32 bytes of chance, that are kept nowhere unless a person wants it.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def uid(self, original: str) -> str:
        """Return the UID in place of another one (PS3.5 Section B.2)."""
        return f"2.25.{uuid.UUID(bytes=self._keyed('uid', original)[:16], version=4).int}"

    def patient(self, key: str) -> str:
        """Return the name and Patient ID of a patient."""
        name = base64.b32encode(self._keyed("patient", key)[:_NAME_BYTES]).decode()
        return f"P{name}"

    def earlier(self, key: str) -> timedelta:
        """Return by how much the dates of a patient are earlier: one year to eleven, in seconds."""
        number = int.from_bytes(self._keyed("dates", key)[:8])
        return timedelta(days=_LEAST_DAYS, seconds=number % (_SPAN_DAYS * _DAY))

    def _keyed(self, kind: str, text: str) -> bytes:
        return hmac.digest(self._secret, f"{kind}|{text}".encode(), sha256)
