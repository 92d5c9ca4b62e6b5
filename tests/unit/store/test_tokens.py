"""Tokens as rows, on both databases."""

import pytest
import sqlalchemy as sa

from pacs_ai.domain import Role
from pacs_ai.errors import StateError, StorageError
from pacs_ai.store import tokens
from pacs_ai.store.schema import Event
from pacs_ai.store.session import Database
from tests.unit.store.samples import NOW


def test_a_token_is_found_by_its_digest_until_it_is_revoked(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        tokens.add(transaction, "anna", Role.OPERATOR, "a" * 64)
    with database.read() as session:
        found = tokens.find(session, "a" * 64)
        assert found is not None
        assert (found.name, found.role, found.created_at) == ("anna", Role.OPERATOR, NOW)
        assert tokens.find(session, "b" * 64) is None
        assert tokens.find_valid(session, found.id) == found
        assert tokens.any_valid(session)
    with database.write("test", NOW) as transaction:
        assert tokens.revoke(transaction, "anna")
        assert not tokens.revoke(transaction, "anna")
    with database.read() as session:
        assert tokens.find(session, "a" * 64) is None
        assert tokens.find_valid(session, found.id) is None
        assert not tokens.any_valid(session)
        assert tokens.any_made(session)
        assert [one.revoked_at for one in tokens.listed(session)] == [NOW]
        trail = [(one.entity, one.to_state, one.note) for one in session.scalars(sa.select(Event))]
    assert trail == [("token", "VALID", "anna: operator"), ("token", "REVOKED", "anna")]


def test_a_name_has_one_valid_token(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        tokens.add(transaction, "anna", Role.VIEWER, "a" * 64)
        with pytest.raises(StateError, match="already"):
            tokens.add(transaction, "anna", Role.ADMIN, "b" * 64)
    insert = sa.text(
        "INSERT INTO token (name, role, digest, created_at) VALUES ('anna', 'admin', 'c', :now)"
    )
    with pytest.raises(StorageError), database.write("test", NOW) as transaction:
        transaction.execute(insert, {"now": NOW})
    with database.write("test", NOW) as transaction:
        tokens.revoke(transaction, "anna")
        tokens.add(transaction, "anna", Role.ADMIN, "b" * 64)
