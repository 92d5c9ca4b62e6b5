"""The database of a large site: every table that grows with its studies has its rows."""

import importlib
import pkgutil

import sqlalchemy as sa

from pacs_ai import store
from pacs_ai.engine.choose import EngineKind, task_table
from pacs_ai.store import tasks
from pacs_ai.store.columns import Base, UtcDateTime
from pacs_ai.store.migrate import upgrade
from pacs_ai.store.session import Database
from tests.bench.queues import CLUSTER, LOCAL
from tests.databases import emptied
from tests.many_rows import ONE, add_rows, analyze, job_id

for _module in pkgutil.iter_modules(store.__path__):  # each may have tables
    importlib.import_module(f"{store.__name__}.{_module.name}")

INSTANCES = 10
"""Of each study."""

MESSAGES = 1000

ROWS = {"instance": INSTANCES, "event": 8, "ledger": 6, "result": 2, "delivery": 2, "repeat": 2}
"""Rows for each study, where these are several."""

SMALL = frozenset(
    {
        *("token", "meta", "active_model", "drift_stream", "rule_set", "node", "dicom_user"),
        "withdrawal",  # a decision of a person
        "message",  # a peer gets one in some minutes, and they are kept for a while only
        "task",  # what waits
    }
)
"""Tables that do not grow with the number of studies."""

CLAIM = "node/boot/1/1/ab12cd34"
"""The claim of the one task that is performed."""

_CLAIMED = sa.text(
    "UPDATE procrastinate_jobs SET status = 'doing', "
    "args = args || jsonb_build_object('claim', CAST(:claim AS text)) WHERE id = 1"
)

DONE = "date_trunc('minute', now()) - interval '4 minutes' * ({studies} - {number})"
"""The time of a study: one every four minutes, the last one now."""

_STUDIES = "coalesce((ARRAY['RECEIVING', 'COMPLETE', 'CONFLICT'])[{0} - {1}], 'ROUTED')"
"""States of studies that are new: all but the first ones wait for their analysis."""

_COMMON = {
    "calling_aet": f"'CT' || {ONE} % 20",
    "called_aet": "'AI_NODE'",
    "node": "'node'",
    "model_name": f"'model-' || {ONE} % 3",
    "model_version": "'1.0'",
    "destination": f"'archive-' || {ONE} % 2",
    "peer": f"'archive-' || {ONE} % 2",
    "kind": f"(ARRAY['report', 'capture'])[1 + {ONE} % 2]",
    "user_name": "''",
    "actor": "'node/boot/worker'",
    "error_code": "''",
    "manifest_sha256": f"'sha-' || {ONE} % 3",
    "missing": "false",
    "correction": "0",
    "section": "'results'",
    "path": f"'node/instances/' || {ONE}",
}
"""Columns that have the same few values, or none, whatever the table."""


def growing() -> dict[str, sa.Table]:
    """Return the tables that grow with the number of studies, parents first."""
    return {table.name: table for table in Base.metadata.sorted_tables if table.name not in SMALL}


def prepared(url: str) -> Database:
    """Open an empty database with the tables of both engines."""
    database = emptied(url)
    upgrade(database)
    tasks.prepare(database)
    task_table("procrastinate").prepare(database)
    return database


def fill_site(database: Database, studies: int, waiting: int, engine: EngineKind = "local") -> None:
    """Add so many finished studies, and further ones whose analyses wait."""
    _drop_indexes(database)
    add_rows(database, Base.metadata.tables["message"], MESSAGES)
    for name, table in growing().items():
        rows = ROWS.get(name, 1)
        study = f"(({ONE} - 1) / {rows} + 1)"
        moment = DONE.format(studies=studies, number=study)
        columns = {column.name: column for column in table.columns}
        times = {key: moment for key, one in columns.items() if _is_time(one) and not one.nullable}
        common = {key: value for key, value in _COMMON.items() if key in columns}
        of_study = {"study_id": study, "job_id": job_id(study)}
        common |= {key: value for key, value in of_study.items() if key in columns}
        given = {**common, **times, **_values(name, study, moment)}
        add_rows(database, table, studies * rows, checked=False, **given)
    for name, state in (("study", _STUDIES.format(ONE, studies)), ("job", "'QUEUED'")):
        table = growing()[name]
        times = {one.name: "now()" for one in table.columns if _is_time(one) and not one.nullable}
        common = {key: value for key, value in _COMMON.items() if key in table.columns}
        given = {**common, **times, "state": state}
        add_rows(database, table, waiting, studies + 1, **given)
    CLUSTER.fill(database, 5, key="'x' || one")
    with database.engine.begin() as connection:
        connection.execute(_CLAIMED, {"claim": CLAIM})
    queue = LOCAL if engine == "local" else CLUSTER
    queue.fill(database, waiting, key=job_id(f"({ONE} + {studies})"), priority=2)
    for name, table in growing().items():
        key = table.columns.get("id")
        if key is not None and isinstance(key.type, sa.Integer):
            _move_sequence(database, name)
    _make_indexes(database)
    analyze(database)


def believed(database: Database, factor: int) -> None:
    """Tell the planner of PostgreSQL that each table has more rows than it has.

    The planner multiplies the rows of a page, which it knows from the last ANALYZE, by the number
    of pages. This multiplies the rows of a page by the factor. Indexes of few rows keep their
    numbers. An ANALYZE ends the effect.
    """
    known = sa.table("pg_class", sa.column("relname", sa.Text), sa.column("reltuples", sa.Float))
    with database.engine.begin() as connection:
        connection.execute(
            sa.update(known)
            .where(known.c.relname.in_(growing()))
            .values(reltuples=known.c.reltuples * factor)
        )
        for name in growing():
            connection.exec_driver_sql(f"ALTER TABLE {name} SET (autovacuum_enabled = off)")


def _values(name: str, study: str, moment: str) -> dict[str, str]:
    """Return what is not made of the number of the row alone, as SQL."""
    uid = f"'1.2.826.' || {ONE}"
    job = job_id(study)
    other = "(ARRAY['PENDING', 'WAITING', 'SENDING', 'STORED', 'COMMITTING', 'FAILED'])"
    stored = f"coalesce({other}[{ONE}], 'COMMITTED')"
    analysed = f"coalesce((ARRAY['RUNNING', 'WAITING', 'FAILED'])[{ONE}], 'SUCCEEDED')"
    values: dict[str, dict[str, str]] = {
        "study": {
            "state": f"CASE WHEN {ONE} % 10 = 0 THEN 'ROUTED' ELSE 'PURGED' END",
            "modality": "'CT'",
            "closed_at": moment,
            "study_instance_uid": uid,
        },
        "instance": {
            "sop_instance_uid": uid,
            "series_instance_uid": f"'1.2.840.' || {study}",
            "modality": "'CT'",
            "unusable_reason": "''",
        },
        "variant": {"path": f"'node/variants/' || {ONE}"},
        "identity": {"fields": "'{}'", "patient_number": "1"},
        "job": {
            "finished_at": moment,
            "state": analysed,
        },
        "result": {"number": ONE, "sop_instance_uid": uid, "path": "''"},
        "delivery": {
            "result_id": ONE,
            "state": stored,
            "stored_at": moment,
            "asked_at": moment,
            "transaction_uid": uid,
        },
        "event": {"entity": "'job'", "entity_id": job, "to_state": "'SUCCEEDED'"},
        "ledger": {
            "number": ONE,
            "event_id": ONE,
            "at": f"to_char({moment}, 'YYYY-MM-DD HH24:MI:SS.US')",
        },
        "notification": {
            "message_id": job_id(f"({ONE} % {MESSAGES} + 1)"),
            "condition": "'failed'",
        },
        "pull": {"state": "'DONE'", "study_instance_uid": uid},
        "observation": {"seen": "true", "stream_id": f"{ONE} % 20"},
        "kept_prediction": {"state": "'DONE'"},
        "prior_search": {"state": "'OVER'"},
        "prior_study": {"routed": "true", "study_instance_uid": uid},
        "examination": {"day": f"to_char({moment}, 'YYYY-MM-DD')", "time": "'081500'"},
        "repeat": {"instance_id": ONE},
    }
    return values.get(name, {})


def _is_time(column: sa.Column[object]) -> bool:
    return isinstance(column.type, UtcDateTime)


def _drop_indexes(database: Database) -> None:
    """Leave the unique ones: to keep the others while rows are added takes most of the time."""
    with database.engine.begin() as connection:
        for table in growing().values():
            for index in table.indexes:
                index.drop(connection)


def _make_indexes(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '1GB'")
        for table in growing().values():
            for index in table.indexes:
                index.create(connection)


def _move_sequence(database: Database, table: str) -> None:
    rows = sa.table(table, sa.column("id", sa.Integer))
    sequence = sa.func.pg_get_serial_sequence(table, "id")
    with database.engine.begin() as connection:
        connection.execute(sa.select(sa.func.setval(sequence, sa.func.max(rows.c.id))))
