"""The tables, but for the tasks (`tasks.py`). Times are UTC; no column holds patient data.

UIDs alone lead to a patient, for someone who has the archive; PatientID is a keyed hash.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from pacs_ai.store.columns import DIGEST, HEX, UID, WORD, Base
from pacs_ai.store.indexes import HAS_FILE, MISSING, TO_READ, UNMATCHED, few
from pacs_ai.store.withdrawal_table import Withdrawal


class Study(Base):
    """A study as far as it has come; ``revision`` counts the sets of instances closed over.

    ``patient_number`` says which of its `Identity` rows hold, ``correction`` how often a person has
    decided for others, ``priority`` how soon it is closed and routed. AE titles: the last ones.
    """

    __tablename__ = "study"
    __table_args__ = (
        # not of the last arrival: every instance changes it, and an index with each
        Index(None, "state", "first_received_at"),
        Index(None, "first_received_at"),
        few("ix_study_corrected", "correction", "correction > 0"),
        few("ix_study_unmatched", "id", UNMATCHED.text),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(UID, unique=True)
    patient_key: Mapped[str] = mapped_column(HEX, index=True)
    accession_key: Mapped[str] = mapped_column(HEX, index=True)
    revision: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(WORD, index=True)
    patient_number: Mapped[int] = mapped_column(default=1, server_default="1")
    correction: Mapped[int] = mapped_column(default=0, server_default="0")
    priority: Mapped[int] = mapped_column(default=1, server_default="1")
    node: Mapped[str] = mapped_column(String(64))
    calling_aet: Mapped[str] = mapped_column(String(16))
    called_aet: Mapped[str] = mapped_column(String(16))
    modality: Mapped[str] = mapped_column(String(16))
    first_received_at: Mapped[datetime]
    last_received_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text, default="")


class Identity(Base):
    """One way in which instances of a study say who their patient is, as keyed hashes.

    ``digest`` stands for all, ``fields`` for each field that is not empty. Rows with the same
    ``patient_number`` contradict each other in nothing; another number is another patient, or
    the same one corrected. ``superseded`` once a person has decided for another number.
    """

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("study_id", "digest"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    patient_number: Mapped[int]
    superseded: Mapped[bool] = mapped_column(default=False)
    digest: Mapped[str] = mapped_column(HEX)
    fields: Mapped[dict[str, str]] = mapped_column(JSON)
    patient_key: Mapped[str] = mapped_column(HEX)
    accession_key: Mapped[str] = mapped_column(HEX)
    calling_aet: Mapped[str] = mapped_column(String(16))
    first_received_at: Mapped[datetime]


class Instance(Base):
    """One stored SOP instance; ``revision`` is the one it arrived in.

    The AE titles and the network address are those of its first arrival, others are `Repeat` rows.
    ``unusable_reason`` is set where the instance is kept but never analysed, ``missing`` where its
    file was not there when the node looked. ``feedback`` says of a structured report whether it is
    read for feedback; see `pacs_ai.store.feedback_documents`.
    """

    __tablename__ = "instance"
    __table_args__ = (
        few("ix_instance_to_read", "id", TO_READ.text),
        few("ix_instance_missing", "path", MISSING.text),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    revision: Mapped[int]
    series_instance_uid: Mapped[str] = mapped_column(UID)
    sop_class_uid: Mapped[str] = mapped_column(UID)
    sop_instance_uid: Mapped[str] = mapped_column(UID, unique=True)
    transfer_syntax_uid: Mapped[str] = mapped_column(UID)
    modality: Mapped[str] = mapped_column(String(16))
    path: Mapped[str] = mapped_column(String(255), unique=True)
    bytes: Mapped[int]
    digest: Mapped[str] = mapped_column(DIGEST)
    received_at: Mapped[datetime]
    unusable_reason: Mapped[str] = mapped_column(Text, default="")
    missing: Mapped[bool] = mapped_column(default=False, server_default=false())
    identity_id: Mapped[int | None] = mapped_column(ForeignKey("identity.id"))
    calling_aet: Mapped[str] = mapped_column(String(16), default="", server_default="")
    called_aet: Mapped[str] = mapped_column(String(16), default="", server_default="")
    address: Mapped[str] = mapped_column(String(45), default="", server_default="")
    feedback: Mapped[str] = mapped_column(WORD, default="", server_default="")


class Variant(Base):
    """The same SOP instance in another wrapping: its file was set aside, and may come to count."""

    __tablename__ = "variant"
    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instance.id"), index=True)
    identity_id: Mapped[int] = mapped_column(ForeignKey("identity.id"))
    transfer_syntax_uid: Mapped[str] = mapped_column(UID)
    path: Mapped[str] = mapped_column(String(255), unique=True)
    bytes: Mapped[int]
    digest: Mapped[str] = mapped_column(DIGEST)
    received_at: Mapped[datetime]


class Repeat(Base):
    """An instance that came again by another way: from another sender, or to another title."""

    __tablename__ = "repeat"
    __table_args__ = (UniqueConstraint("instance_id", "calling_aet", "called_aet"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instance.id"))
    calling_aet: Mapped[str] = mapped_column(String(16))
    called_aet: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(45), default="", server_default="")
    received_at: Mapped[datetime]


class Job(Base):
    """One model's work on one study revision.

    ``attempt`` fences: what an earlier attempt still writes changes no row. ``worker_crashes`` and
    ``node_crashes`` count leases lost with a worker or the node, ``postponed`` how often in a row
    it was put off. ``correction`` is the study's when it was made: once that has grown, it is void.
    ``asked`` is what its rules asked for (`pacs_ai.flow.asked_rules`), ``findings`` name, code,
    scheme, decision of each class, ``result_uid`` that of its report, ``stages`` seconds of each.
    """

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("study_id", "revision", "model_name", "model_version"),
        Index(None, "state", "due_at"),
        Index(None, "state", "created_at"),
        Index(None, "created_at"),
    )
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    revision: Mapped[int]
    correction: Mapped[int] = mapped_column(default=0, server_default="0")
    rules: Mapped[list[str]] = mapped_column(JSON)
    priority: Mapped[int] = mapped_column(default=1, server_default="1")
    asked: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    model_name: Mapped[str] = mapped_column(String(64))
    model_version: Mapped[str] = mapped_column(String(64))
    bundle_sha256: Mapped[str] = mapped_column(HEX)
    manifest_sha256: Mapped[str] = mapped_column(HEX, default="")
    state: Mapped[str] = mapped_column(WORD)
    attempt: Mapped[int] = mapped_column(default=0)
    worker_crashes: Mapped[int] = mapped_column(default=0)
    node_crashes: Mapped[int] = mapped_column(default=0)
    postponed: Mapped[int] = mapped_column(default=0)
    postponed_for: Mapped[str] = mapped_column(WORD, default="")
    lease_owner: Mapped[str | None] = mapped_column(String(128))
    lease_until: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    summary: Mapped[str] = mapped_column(Text, default="")
    findings: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list, server_default="[]")
    result_uid: Mapped[str] = mapped_column(UID, default="", server_default="")
    stages: Mapped[dict[str, float]] = mapped_column(JSON, default=dict, server_default="{}")
    error_code: Mapped[str] = mapped_column(String(32), default="")
    error_text: Mapped[str] = mapped_column(Text, default="")


class Result(Base):
    """One result made; its bytes lie in the spool and are what is sent, every time.

    A file that is no DICOM object has no SOP class and no series, and a UID of its own. ``path``
    is empty once the file was removed at the end of its keep time; ``bytes`` is 0 where not known.
    ``correction`` is the study's whose patient it names: once that has grown, it is not sent.
    Neither is one with a ``withdrawal_id``: a person has taken it back.
    """

    __tablename__ = "result"
    __table_args__ = (
        UniqueConstraint("job_id", "kind", "number"),
        few("ix_result_taken_back", "withdrawal_id", "withdrawal_id IS NOT NULL"),
        few("ix_result_file", "path", HAS_FILE.text),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    kind: Mapped[str] = mapped_column(WORD)
    number: Mapped[int]
    correction: Mapped[int] = mapped_column(default=0, server_default="0")
    sop_class_uid: Mapped[str] = mapped_column(UID)
    sop_instance_uid: Mapped[str] = mapped_column(UID, unique=True)
    series_instance_uid: Mapped[str] = mapped_column(UID)
    path: Mapped[str] = mapped_column(String(255))
    bytes: Mapped[int] = mapped_column(default=0)
    digest: Mapped[str] = mapped_column(DIGEST)
    withdrawal_id: Mapped[int | None] = mapped_column(ForeignKey(Withdrawal.id))


class Delivery(Base):
    """One result on its way to one destination; it is postponed as a `Job` is.

    ``withdrawn_by`` is the rejection note that says that it does not hold. ``may_be_held``: an
    attempt has gone out whose answer was a success, or is not known. ``earlier_attempts`` were
    before a retry by hand. ``in_place_of`` is the kind of another result, whose class is refused.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("result_id", "destination"),
        Index(None, "state", "due_at"),
        Index(None, "state", "id"),
        Index(None, "destination", "state", "id"),
        Index(None, "job_id", "destination"),
        few("ix_delivery_told_of", "withdrawn_by", "withdrawn_by IS NOT NULL"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(ForeignKey("result.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    destination: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(WORD)
    attempt: Mapped[int] = mapped_column(default=0)
    earlier_attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    refusals: Mapped[int] = mapped_column(default=0)
    postponed: Mapped[int] = mapped_column(default=0)
    postponed_for: Mapped[str] = mapped_column(WORD, default="")
    may_be_held: Mapped[bool] = mapped_column(default=False, server_default=false())
    commit_rounds: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(128))
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    stored_at: Mapped[datetime | None]
    status_code: Mapped[int | None]
    transaction_uid: Mapped[str | None] = mapped_column(UID, index=True)
    asked_at: Mapped[datetime | None]
    committed_at: Mapped[datetime | None]
    withdrawn_by: Mapped[int | None] = mapped_column(ForeignKey("result.id"))
    in_place_of: Mapped[str] = mapped_column(WORD, default="", server_default="")
    error_code: Mapped[str] = mapped_column(String(32), default="")
    error_text: Mapped[str] = mapped_column(Text, default="")


class Event(Base):
    """The audit trail: every change of state, append only.

    ``user_name`` is the person, where one acts (an account, a token); ``address`` is theirs.
    """

    __tablename__ = "event"
    __table_args__ = (Index(None, "entity_id", "entity"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    entity: Mapped[str] = mapped_column(WORD)
    entity_id: Mapped[str] = mapped_column(String(36))
    from_state: Mapped[str] = mapped_column(WORD)
    to_state: Mapped[str] = mapped_column(WORD)
    actor: Mapped[str] = mapped_column(String(128))
    user_name: Mapped[str] = mapped_column(String(64), default="", server_default="")
    address: Mapped[str] = mapped_column(String(45), default="", server_default="")
    note: Mapped[str] = mapped_column(Text, default="")


class LedgerLine(Base):
    """An audit message (PS3.15 Section A.5) made of an event, chained to the line before.

    ``number`` counts from 1 without gaps. ``hash`` is that of the line and of the hash before;
    see `pacs_ai.store.ledger`. ``at`` is text, so that the database cannot show it otherwise than
    it was written. ``study_id`` is for searching; 0 where the event is of no study.
    """

    __tablename__ = "ledger"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(unique=True)
    study_id: Mapped[int] = mapped_column(index=True)
    at: Mapped[str] = mapped_column(WORD)
    node: Mapped[str] = mapped_column(String(64))
    event_digest: Mapped[str] = mapped_column(HEX)
    message: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(HEX)


class Meta(Base):
    """Facts on the database itself."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(255))
