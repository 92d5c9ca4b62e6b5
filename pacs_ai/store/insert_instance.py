"""Insert the row of an instance that arrives, in few statements: the sender waits for it."""

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs_ai.domain import StudyId, StudyState
from pacs_ai.store import admission, instances
from pacs_ai.store.admission import InsertedInstance
from pacs_ai.store.identities import Sender
from pacs_ai.store.instances import Arrival
from pacs_ai.store.schema import Identity, Instance, Study
from pacs_ai.store.session import Transaction

_OF_ARRIVAL = [field.name for field in fields(Arrival) if field.name != "study_instance_uid"]
_OF_SENDER = ["calling_aet", "called_aet", "address"]
_COLUMNS = ("study_id", "revision", "identity_id", "received_at", *_OF_SENDER, *_OF_ARRIVAL)
_OPEN = (
    Study.study_instance_uid == sa.bindparam("study_uid"),
    Study.state == StudyState.RECEIVING.value,
    Identity.study_id == Study.id,
    Identity.digest == sa.bindparam("identity"),
    Identity.patient_number == Study.patient_number,
)
_ROW = sa.select(
    Study.id,
    Study.revision,
    Identity.id,
    sa.bindparam("now", type_=Instance.received_at.type),
    *(sa.bindparam(name, type_=getattr(Instance, name).type) for name in _OF_SENDER),
    *(sa.bindparam(name, type_=getattr(Instance, name).type) for name in _OF_ARRIVAL),
).where(*_OPEN)
_NOTE_ACTIVITY = (
    sa.update(Study)
    .where(Study.id == sa.bindparam("study_id"))
    .values(
        last_received_at=sa.bindparam("now"),
        node=sa.bindparam("from_node"),
        calling_aet=sa.bindparam("calling"),
        called_aet=sa.bindparam("called"),
        modality=sa.bindparam("modality_now"),
    )
)


def insert_instance(
    connection: sa.Connection, arrival: Arrival, sender: Sender, now: datetime
) -> InsertedInstance | None:
    """Give an instance its row, and its study the state that follows from it.

    Nearly every instance is a new one of a study that is being received, and names the same patient
    as an earlier one: for these, two statements are enough. All others go to `admission.admit`.

    Returns
    -------
    InsertedInstance or None
        None if the SOP Instance UID has a row already.
    """
    if not arrival.unusable_reason and sender.calling_aet:
        inserted = _continue(connection, arrival, sender, now)
        if inserted is not None:
            return inserted
    with Transaction(connection, sender.calling_aet, now) as transaction:
        if instances.find(transaction, arrival.sop_instance_uid) is not None:
            return None
        return admission.admit(transaction, arrival, sender)


def _continue(
    connection: sa.Connection, arrival: Arrival, sender: Sender, now: datetime
) -> InsertedInstance | None:
    """Insert in the usual case; in any other do nothing and return None."""
    insert, note_activity, moment = _statements(connection.dialect)
    values: dict[str, Any] = {name: getattr(arrival, name) for name in _OF_ARRIVAL}
    values["study_uid"] = arrival.study_instance_uid
    values["identity"] = sender.identity.digest
    values["calling_aet"] = sender.calling_aet
    values["called_aet"] = sender.called_aet
    values["address"] = sender.address
    values["now"] = moment(now)
    row = insert(connection, values)
    if row is None:
        return None
    study_id, revision = row
    activity = {
        "study_id": study_id,
        "now": values["now"],
        "from_node": sender.node,
        "calling": sender.calling_aet,
        "called": sender.called_aet,
        "modality_now": arrival.modality,
    }
    note_activity(connection, activity)
    return InsertedInstance(StudyId(study_id), revision, StudyState.RECEIVING)


_Execute = Callable[[sa.Connection, dict[str, Any]], Any]


@lru_cache(maxsize=4)
def _statements(dialect: sa.Dialect) -> tuple[_Execute, _Execute, Callable[[datetime], Any]]:
    """Prepare the two statements, and the function that converts a time for the database.

    To build a statement takes longer than to execute it, and to bind its values as long again:
    here both are done once, and the driver is handed what it takes.
    """
    into: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect.name]
    insert = (
        into(Instance)
        .from_select(_COLUMNS, _ROW, include_defaults=False)
        .on_conflict_do_nothing(index_elements=[Instance.sop_instance_uid])
        .returning(Instance.study_id, Instance.revision)
    )
    moment = Instance.received_at.type.bind_processor(dialect) or (lambda value: value)
    return (
        _prepared(insert, dialect),
        _prepared(_NOTE_ACTIVITY, dialect),
        cast("Callable[[datetime], Any]", moment),
    )


def _prepared(statement: sa.sql.ClauseElement, dialect: sa.Dialect) -> _Execute:
    """Return what executes a statement and gives its first row.

    On SQLite it goes to the driver: what SQLAlchemy does around a statement takes longer than the
    statement. `pacs_ai.store.session` translates the driver's errors as well.
    """
    compiled = cast("sa.sql.compiler.SQLCompiler", statement.compile(dialect=dialect))
    sql, constants, order = str(compiled), compiled.params, compiled.positiontup

    def on_sqlite(connection: sa.Connection, values: dict[str, Any]) -> Any:  # noqa: ANN401 - a row
        values = constants | values
        driver: Any = connection.connection.driver_connection
        return driver.execute(sql, tuple(values[name] for name in order or ())).fetchone()

    def elsewhere(connection: sa.Connection, values: dict[str, Any]) -> Any:  # noqa: ANN401 - a row
        result = connection.exec_driver_sql(sql, constants | values)
        return result.first() if result.returns_rows else None

    return elsewhere if order is None else on_sqlite
