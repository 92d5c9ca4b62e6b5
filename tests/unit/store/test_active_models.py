"""The row that says which version of a model is active, on both databases."""

import pytest
import sqlalchemy as sa

from pacs_ai.errors import StateError
from pacs_ai.store import active_models
from pacs_ai.store.active_models import ActiveModel, ModelState, Version
from pacs_ai.store.schema import Event
from pacs_ai.store.session import Database
from tests.unit.store.samples import NOW

FIRST = Version("1.0", "a" * 64, "b" * 64, "demo")
SECOND = Version("2.0", "c" * 64, "d" * 64, "/models/second")


def active(database: Database, name: str = "chest") -> ActiveModel | None:
    with database.read() as session:
        return active_models.find(session, name)


def activate(database: Database, chosen: Version, name: str = "chest") -> None:
    with database.write("operator", NOW, user="anna") as transaction:
        active_models.activate(transaction, name, chosen, FIRST)


def roll_back(database: Database) -> None:
    with database.write("operator", NOW) as transaction:
        active_models.roll_back(transaction, "chest")


def test_a_version_is_made_active_and_the_one_before_is_known(database: Database) -> None:
    assert active(database) is None
    activate(database, SECOND)
    row = active(database)
    assert row is not None
    assert (Version.of(row), row.state, row.set_by) == (SECOND, ModelState.ACTIVE, "anna")
    assert Version(**row.earlier) == FIRST
    assert active(database, "bone") is None


def test_a_rollback_done_twice_changes_nothing(database: Database) -> None:
    activate(database, SECOND)
    for version in (FIRST, SECOND):
        roll_back(database)
        row = active(database)
        assert row is not None
        assert Version.of(row) == version


def test_without_another_version_there_is_no_rollback(database: Database) -> None:
    for _ in range(2):
        with pytest.raises(StateError, match="no other version"):
            roll_back(database)
        with database.write("operator", NOW) as transaction:
            active_models.disable(transaction, "chest", FIRST)


def test_a_disabled_model_keeps_its_version_until_it_is_active_again(database: Database) -> None:
    activate(database, SECOND)
    for _ in range(2):
        with database.write("operator", NOW) as transaction:
            active_models.disable(transaction, "chest", FIRST)
    row = active(database)
    assert row is not None
    assert (Version.of(row), row.state) == (SECOND, ModelState.DISABLED)
    activate(database, SECOND)
    row = active(database)
    assert row is not None
    assert (row.state, Version(**row.earlier)) == (ModelState.ACTIVE, FIRST)


def test_each_change_and_no_repetition_leaves_a_line_in_the_audit_trail(database: Database) -> None:
    activate(database, FIRST)
    activate(database, SECOND)
    activate(database, SECOND)
    with database.write("operator", NOW) as transaction:
        active_models.disable(transaction, "chest", FIRST)
        active_models.forget(transaction, "chest")
        active_models.forget(transaction, "chest")
    with database.read() as session:
        events = session.scalars(sa.select(Event).order_by(Event.id)).all()
    assert [(event.from_state, event.to_state) for event in events] == [
        ("ACTIVE", "ACTIVE"),
        ("ACTIVE", "DISABLED"),
        ("DISABLED", "REMOVED"),
    ]
    assert events[0].note == f"chest: version 1.0 to 2.0, manifest {'d' * 12}"
    assert events[0].user_name == "anna"
    assert active(database) is None
