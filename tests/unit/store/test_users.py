"""Users of the listener as rows, on both databases."""

import pytest
import sqlalchemy as sa

from pacs_ai.errors import StateError
from pacs_ai.net.passcodes import is_passcode, passcode_digest
from pacs_ai.store import users
from pacs_ai.store.schema import Event
from pacs_ai.store.session import Database
from tests.unit.store.samples import NOW


def test_a_user_may_call_until_it_is_removed(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        users.add(transaction, "ct 1", "digest")
        with pytest.raises(StateError, match="already"):
            users.add(transaction, "ct 1", "other")
    with database.read() as session:
        assert users.digests(session) == {"ct 1": "digest"}
    with database.write("test", NOW) as transaction:
        assert users.remove(transaction, "ct 1")
        assert not users.remove(transaction, "ct 1")
        users.add(transaction, "ct 1", "other")
    with database.read() as session:
        assert users.digests(session) == {"ct 1": "other"}
        assert [one.removed_at for one in users.listed(session)] == [NOW, None]
        trail = [(one.entity, one.to_state, one.note) for one in session.scalars(sa.select(Event))]
    assert trail == [("user", state, "ct 1") for state in ("VALID", "REMOVED", "VALID")]


def test_a_digest_tells_the_passcode_from_others() -> None:
    digest = passcode_digest("pässcode")
    assert digest != passcode_digest("pässcode")
    assert is_passcode("pässcode".encode(), digest)
    assert not is_passcode(b"passcode", digest)
    assert not is_passcode(b"", digest)
    assert not is_passcode(b"x", "sha256$x")
