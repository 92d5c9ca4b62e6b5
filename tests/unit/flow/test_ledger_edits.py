"""Every change of the ledger is found: bytes, lines, and whole chains."""

import random
import string
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs_ai.errors import LedgerAltered, StorageError
from pacs_ai.flow.audit import note
from pacs_ai.flow.audit.seal import Sealer
from pacs_ai.flow.audit.verify import verify
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.audit import verify_ledger
from pacs_ai.store import ledger
from pacs_ai.store.ledger_anchor import ANCHOR_FILE, read_anchor
from tests.databases import new_database
from tests.unit.flow.ledger_node import node_on, study_delivered

EDITS = 1000
COLUMNS = {
    "ledger": ("number", "event_id", "study_id", "at", "node", "event_digest", "message", "hash"),
    "event": (
        *("at", "entity", "entity_id", "from_state", "to_state"),
        *("actor", "user_name", "address", "note"),
    ),
}


@pytest.fixture
def sqlite_node(tmp_path: Path) -> FlowContext:
    context = node_on(new_database(tmp_path), tmp_path)
    note.started(replace(context, user="anna", address="192.0.2.7"), "node")
    study_delivered(context)
    Sealer(context, "node").all()
    return context


def test_any_of_a_thousand_single_byte_edits_is_found(sqlite_node: FlowContext) -> None:
    engine = sqlite_node.database.engine
    dice = random.Random(7)  # noqa: S311 - no secret
    with engine.begin() as connection:
        last = connection.scalar(sa.text("SELECT max(number) FROM ledger"))
    for _ in range(EDITS):
        table = dice.choice(("ledger", "ledger", "event"))
        column, row = dice.choice(COLUMNS[table]), dice.randint(1, last)
        key = "number = :row" if table == "ledger" else (
            "id = (SELECT event_id FROM ledger WHERE number = :row)"
        )  # fmt: skip
        with engine.connect() as connection, connection.begin() as transaction:
            query = sa.text(f"SELECT CAST({column} AS BLOB) FROM {table} WHERE {key}")  # noqa: S608
            stored = connection.scalar(query, {"row": row})
            if not stored:
                continue
            edited = bytearray(stored)
            place = dice.randrange(len(edited))
            edited[place] = dice.choice([b for b in _bytes(column) if b != edited[place]])
            _put(connection, table, column, key, row, bytes(edited))
            session = ledger.Session(bind=connection)
            assert _problems(sqlite_node, session), (table, column, row, bytes(edited))
            transaction.rollback()
    assert verify(sqlite_node).problems == ()


def _bytes(column: str) -> bytes:
    numbers = column in {"number", "event_id", "study_id"}
    return string.digits.encode() if numbers else bytes(range(1, 256))


def _put(
    connection: sa.Connection, table: str, column: str, key: str, row: int, value: bytes
) -> None:
    numbers = column in {"number", "event_id", "study_id"}
    cast = "CAST(:value AS INTEGER)" if numbers else "CAST(:value AS TEXT)"
    connection.execute(sa.text("PRAGMA ignore_check_constraints = ON"))
    query = sa.text(f"UPDATE OR REPLACE {table} SET {column} = {cast} WHERE {key}")  # noqa: S608
    connection.execute(query, {"value": value, "row": row})


def _problems(context: FlowContext, session: ledger.Session) -> tuple[str, ...]:
    """Verify inside the transaction that has made the edit."""

    class Seen:
        def read(self) -> ledger.Session:
            return session

    return verify(
        FlowContext(
            context.config,
            Seen(),  # type: ignore[arg-type]
            context.spool,
            context.engine,
            context.clock,
            context.owner,
            context.secret,
        )
    ).problems


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM ledger WHERE number = 8", "1 lines are missing at the end"),
        ("DELETE FROM ledger WHERE number = 3", "line 3 is missing"),
        ("DELETE FROM ledger WHERE number = 1", "line 1 is missing"),
        ("DELETE FROM ledger", "8 lines are missing"),
        ("DELETE FROM event WHERE id = 3", "its event is gone"),
        ("UPDATE ledger SET node = 'other'", "line 1 was altered"),
        ("UPDATE event SET address = '' WHERE id = 1", "line 1: its event was altered"),
        ("UPDATE event SET actor = CAST(actor AS BLOB)", "line 3: its event was altered"),
        ("UPDATE ledger SET hash = CAST(hash AS BLOB)", "line 2 was altered"),
        ("UPDATE event SET address = '::1' WHERE id = 3", "line 3: its event was altered"),
    ],
)
def test_what_is_missing_is_found(statement: str, said: str, sqlite_node: FlowContext) -> None:
    with sqlite_node.database.engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert any(said in problem for problem in verify(sqlite_node).problems)
    with pytest.raises(LedgerAltered):
        verify_ledger(sqlite_node)


def test_what_was_cut_off_stays_known_when_the_node_goes_on(sqlite_node: FlowContext) -> None:
    with sqlite_node.database.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM event WHERE id >= 9"))
        connection.execute(sa.text("DELETE FROM ledger WHERE number >= 7"))
    note.accessed(sqlite_node, 1, "shown")
    Sealer(sqlite_node, "node").all()
    problems = verify(sqlite_node).problems
    assert problems
    assert problems[0].endswith("2 lines are missing at the end, up to 8")


def test_a_chain_that_was_computed_again_is_found(sqlite_node: FlowContext) -> None:
    """Somebody with the database alone alters an event, and makes a chain that fits it."""
    with sqlite_node.database.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM ledger"))
        connection.execute(sa.text("UPDATE event SET note = 'nothing' WHERE id = 3"))
    anchor = (sqlite_node.spool.root / ANCHOR_FILE).read_bytes()
    (sqlite_node.spool.root / ANCHOR_FILE).unlink()
    Sealer(sqlite_node, "node").all()
    (sqlite_node.spool.root / ANCHOR_FILE).write_bytes(anchor)
    assert verify(sqlite_node).problems == ("line 8 is not the one that was written",)


def test_a_damaged_anchor_is_a_problem_and_a_missing_one_a_remark(sqlite_node: FlowContext) -> None:
    path = sqlite_node.spool.root / ANCHOR_FILE
    path.write_text("{")
    assert "is damaged" in verify(sqlite_node).problems[0]
    with pytest.raises(StorageError):
        read_anchor(sqlite_node.spool.root)
    path.unlink()
    found = verify(sqlite_node)
    assert (found.problems, len(found.remarks)) == ((), 1)
