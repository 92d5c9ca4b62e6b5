"""The one way a row changes state: compare-and-set, checked against the table, and audited."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, cast

import sqlalchemy as sa

from pacs_ai.domain import DeliveryState, JobState, StudyState
from pacs_ai.errors import IllegalTransition
from pacs_ai.store.schema import Delivery, Event, Job, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.state_machines import DELIVERY_TRANSITIONS, JOB_TRANSITIONS, STUDY_TRANSITIONS

_TABLES: Mapping[type, Mapping[Any, frozenset[Any]]] = {
    Study: STUDY_TRANSITIONS,
    Job: JOB_TRANSITIONS,
    Delivery: DELIVERY_TRANSITIONS,
}

_APPEND = sa.insert(Event.metadata.tables[Event.__tablename__])
"""Into the table, not the class: a study needs a dozen, and the class takes ten times as long."""

RULES = "rules"
"""Who acts where the rules of the configuration, or of the node, ask for something."""

NO_LEASE: Mapping[str, None] = {"lease_owner": None, "lease_until": None}
"""Columns of a row that nobody works on any more."""


def move(
    transaction: Transaction,
    entity: type[Study] | type[Job] | type[Delivery],
    key: int | str,
    arrow: tuple[StudyState, StudyState]
    | tuple[JobState, JobState]
    | tuple[DeliveryState, DeliveryState],
    *,
    fence: Mapping[str, object] | None = None,
    note: str = "",
    **values: object,
) -> bool:
    """Change the state of one row, if it is still where the caller believes it is.

    Parameters
    ----------
    session
        Transaction of the caller.
    entity, key
        The table and the row's primary key.
    arrow
        From which state to which.
    note
        For the audit trail.
    fence
        Further columns that must hold these values, such as the attempt.
    values
        Other columns to set.

    Returns
    -------
    bool
        False if the row was not in that state any more (or the fence did not hold): nothing
        was changed, and whoever moved it is in charge.

    Raises
    ------
    IllegalTransition
        If the state machine has no such arrow.
    """
    source, target = arrow
    if target not in _TABLES[entity][source]:
        raise IllegalTransition(f"{entity.__tablename__} {key}: {source} cannot become {target}")
    conditions = [getattr(entity, name) == value for name, value in (fence or {}).items()]
    changed = cast(
        "sa.CursorResult[Any]",
        transaction.execute(
            sa.update(entity)
            .where(entity.id == key, entity.state == source, *conditions)
            .values(state=target, **values)
        ),
    )
    if changed.rowcount != 1:
        return False
    record(transaction, entity.__tablename__, key, source, target, note=note)
    return True


def record(
    transaction: Transaction,
    entity: str,
    key: int | str,
    source: StrEnum | str,
    target: StrEnum | str,
    *,
    note: str = "",
) -> None:
    """Append a line to the audit trail."""
    transaction.execute(_APPEND, _line(transaction, entity, key, source, target, note))


def record_new(
    transaction: Transaction, entity: str, keys: Iterable[int | str], state: StrEnum
) -> None:
    """Append a line to the audit trail for each new row."""
    record_moves(transaction, entity, keys, ("", state), "")


def record_moves(
    transaction: Transaction,
    entity: str,
    keys: Iterable[int | str],
    arrow: tuple[StrEnum | str, StrEnum],
    note: str,
) -> None:
    """Append a line to the audit trail for each row that has moved along an arrow."""
    lines = [_line(transaction, entity, key, *arrow, note) for key in keys]
    if lines:
        transaction.execute(_APPEND, lines)


def _line(
    transaction: Transaction,
    entity: str,
    key: int | str,
    source: StrEnum | str,
    target: StrEnum | str,
    note: str,
) -> dict[str, object]:
    return {
        "at": transaction.now,
        "entity": entity,
        "entity_id": str(key),
        "from_state": str(source),
        "to_state": str(target),
        "actor": transaction.actor,
        "user_name": transaction.user,
        "address": transaction.address,
        "note": note,
    }
