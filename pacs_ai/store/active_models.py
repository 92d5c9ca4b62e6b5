"""Which version of each model is active: one row a model, written by operators alone.

A model without a row runs as the configuration says: the section ``[models.NAME]`` is active.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self

import sqlalchemy as sa
from sqlalchemy import JSON, String
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from pacs_ai.errors import StateError
from pacs_ai.store.columns import HEX, WORD, Base
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import record


class ModelState(StrEnum):
    """Whether a model analyses."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class ActiveModel(Base):
    """The version of a model that analyses, or would if the model were not disabled.

    ``bundle`` is the folder of its bundle, or the name of a shipped one. ``earlier`` has the fields
    of the `Version` that was active before, which a rollback makes active again; {} if there is
    none. ``set_by`` is the person who decided so at ``since``.
    """

    __tablename__ = "active_model"
    id: Mapped[int] = mapped_column(primary_key=True)
    model_name: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(WORD)
    version: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(HEX)
    manifest_sha256: Mapped[str] = mapped_column(HEX)
    bundle: Mapped[str] = mapped_column(String(1024))
    earlier: Mapped[dict[str, str]] = mapped_column(JSON)
    since: Mapped[datetime]
    set_by: Mapped[str] = mapped_column(String(128))


_FIRST = {
    "sqlite": sqlite.insert(ActiveModel).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(ActiveModel).on_conflict_do_nothing(),
}


class Stamp(Protocol):
    """What the row of a job says of the bundle that runs: version, network, manifest."""

    @property
    def version(self) -> str:
        """Return the version that the bundle states."""

    @property
    def sha256(self) -> str:
        """Return the hash of the network."""

    @property
    def manifest_sha256(self) -> str:
        """Return the hash of the manifest."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a model: the fields of `ActiveModel` with these names."""

    version: str
    sha256: str
    manifest_sha256: str
    bundle: str

    @classmethod
    def of(cls, row: ActiveModel) -> Self:
        """Return the version that a row names."""
        return cls(row.version, row.sha256, row.manifest_sha256, row.bundle)


def find(session: Session, name: str) -> ActiveModel | None:
    """Return the row of a model; None if the configuration alone says what is active."""
    return session.scalar(sa.select(ActiveModel).where(ActiveModel.model_name == name))


def listed(session: Session) -> Sequence[ActiveModel]:
    """Return all rows, by model."""
    return session.scalars(sa.select(ActiveModel).order_by(ActiveModel.model_name)).all()


def activate(transaction: Transaction, name: str, chosen: Version, first: Version) -> ActiveModel:
    """Make a version active; one that is active already stays as it is.

    Parameters
    ----------
    first
        What the configuration makes active as long as the model has no row.
    """
    row = _locked(transaction, name, first)
    now = Version.of(row)
    if chosen == now and row.state == ModelState.ACTIVE:
        return row
    same = chosen.manifest_sha256 == now.manifest_sha256  # its folder may be another one
    earlier = row.earlier if same else asdict(now)
    return _change(transaction, row, ModelState.ACTIVE, chosen, earlier)


def roll_back(transaction: Transaction, name: str) -> ActiveModel:
    """Make the version active that was so before; done twice, all is as it was.

    Raises
    ------
    StateError
        If no other version was active before.
    """
    row = transaction.scalar(_for_update(name))
    if row is None or not row.earlier:
        raise StateError(f"model {name!r}: no other version was active before")
    earlier, now = Version(**row.earlier), Version.of(row)
    return _change(transaction, row, ModelState.ACTIVE, earlier, asdict(now))


def disable(transaction: Transaction, name: str, first: Version) -> ActiveModel:
    """Let no version of a model analyse; ``first`` as for `activate`."""
    row = _locked(transaction, name, first)
    if row.state == ModelState.DISABLED:
        return row
    return _change(transaction, row, ModelState.DISABLED, Version.of(row), row.earlier)


def forget(transaction: Transaction, name: str) -> None:
    """Remove the row of a model that the configuration has no more."""
    row = find(transaction, name)
    if row is not None:
        record(transaction, "model", row.id, row.state, "REMOVED", note=name)
        transaction.delete(row)


def _for_update(name: str) -> sa.Select[ActiveModel]:
    """Select a row that no other transaction changes meanwhile, as it is now."""
    query = sa.select(ActiveModel).where(ActiveModel.model_name == name).with_for_update()
    return query.execution_options(populate_existing=True)


def _locked(transaction: Transaction, name: str, first: Version) -> ActiveModel:
    """Return the row of a model; make it first, if there is none."""
    values = {
        **asdict(first),
        "model_name": name,
        "state": ModelState.ACTIVE,
        "earlier": {},
        "since": transaction.now,
        "set_by": "",
    }
    transaction.execute(_FIRST[transaction.get_bind().dialect.name], values)
    return transaction.scalars(_for_update(name)).one()


def _change(
    transaction: Transaction,
    row: ActiveModel,
    state: ModelState,
    chosen: Version,
    earlier: dict[str, str],
) -> ActiveModel:
    before, source = row.version, row.state
    for key, value in asdict(chosen).items():
        setattr(row, key, value)
    row.state, row.earlier = state, earlier
    row.since, row.set_by = transaction.now, transaction.user or transaction.actor
    transaction.flush()
    versions = before if before == row.version else f"{before} to {row.version}"
    note = f"{row.model_name}: version {versions}, manifest {row.manifest_sha256[:12]}"
    record(transaction, "model", row.id, source, state, note=note)
    return row
