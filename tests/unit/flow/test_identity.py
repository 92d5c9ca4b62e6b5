"""Whose study: another patient is found on every path, a value that was filled in is none."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.domain import StudyState
from pacs_ai.flow import recover
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store.schema import Identity, Instance, Study, Variant
from tests.spool_files import variant_paths

Send = Callable[..., StoreAnswer]

ANOTHER = [
    {"PatientID": "SOMEBODY ELSE"},
    {"IssuerOfPatientID": "ANOTHER HOSPITAL"},
    {"PatientName": "Somebody^Else"},
    {"PatientBirthDate": "19010101"},
    {"PatientSex": "F"},
]
THE_SAME = [
    {"PatientName": "compressedsamples^ct1^^^"},
    {"PatientID": " 1ct1 "},
    {"PatientName": "CompressedSamples^CT1=山田^太郎", "SpecificCharacterSet": "ISO_IR 192"},
    {"PatientID": ""},
    {"PatientName": "", "PatientSex": "", "PatientBirthDate": ""},
]
by_field = pytest.mark.parametrize("changes", ANOTHER, ids=lambda one: next(iter(one)))


@pytest.fixture
def ct(ct: Dataset) -> Dataset:
    ct.IssuerOfPatientID, ct.PatientBirthDate, ct.PatientSex = "HOSPITAL", "19700203", "O"
    return ct


def new_instance(dataset: Dataset, number: int = 1) -> Dataset:
    dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID}.{number}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def change(dataset: Dataset, changes: dict[str, str]) -> Dataset:
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return dataset


def study(context: FlowContext) -> Study:
    with context.database.read() as session:
        return session.scalars(sa.select(Study)).one()


def settle(context: FlowContext, state: StudyState) -> None:
    with context.write() as transaction:
        transaction.execute(sa.update(Study).values(state=state))


@by_field
def test_a_new_instance_of_another_patient(
    context: FlowContext, ct: Dataset, send: Send, changes: dict[str, str]
):
    send(ct)
    assert send(new_instance(change(ct, changes))).status == 0x0000
    assert study(context).state == StudyState.CONFLICT
    assert next(iter(changes)) in study(context).reason


@by_field
@pytest.mark.parametrize("state", [StudyState.COMPLETE, StudyState.ROUTED, StudyState.PURGED])
def test_a_late_instance_of_another_patient(
    context: FlowContext, ct: Dataset, send: Send, changes: dict[str, str], state: StudyState
):
    send(ct)
    settle(context, state)
    send(new_instance(change(ct, changes)))
    assert study(context).state == StudyState.CONFLICT


@by_field
def test_a_repeated_instance_of_another_patient_is_kept(
    context: FlowContext, ct: Dataset, send: Send, changes: dict[str, str]
):
    send(ct)
    settle(context, StudyState.ROUTED)
    change(ct, changes)
    assert send(ct).status == 0x0000
    assert study(context).state == StudyState.CONFLICT
    with context.database.read() as session:
        variant = session.scalars(sa.select(Variant)).one()
        first = session.get_one(Instance, variant.instance_id)
    assert context.spool.path_of(variant.path).is_file()
    assert variant.identity_id != first.identity_id
    send(ct)
    assert len(variant_paths(context.spool)) == 1, "the same bytes again are no second variant"


@by_field
def test_other_content_of_another_patient_is_refused_and_holds(
    context: FlowContext, ct: Dataset, send: Send, changes: dict[str, str]
):
    send(ct)
    ct.PixelData = bytes(len(ct.PixelData))
    assert send(change(ct, changes)).status == 0xC003
    assert study(context).state == StudyState.CONFLICT


@by_field
def test_an_adopted_orphan_of_another_patient(
    context: FlowContext, ct: Dataset, send: Send, changes: dict[str, str]
):
    first = ct.SOPInstanceUID
    send(ct)
    send(new_instance(change(ct, changes)))
    with context.write() as transaction:
        transaction.execute(sa.delete(Instance).where(Instance.sop_instance_uid != first))
        transaction.execute(sa.delete(Identity).where(Identity.patient_number != 1))
        transaction.execute(sa.update(Study).values(state=StudyState.RECEIVING))
    recover.restart(context, Arrivals())
    assert study(context).state == StudyState.CONFLICT


@pytest.mark.parametrize("changes", THE_SAME, ids=str)
@pytest.mark.parametrize("repeated", [True, False])
def test_case_padding_and_filled_in_values_are_no_conflict(
    context: FlowContext, ct: Dataset, send: Send, changes: dict[str, str], repeated: bool
):
    send(ct)
    change(ct, changes)
    assert send(ct if repeated else new_instance(ct)).status == 0x0000
    assert study(context).state == StudyState.RECEIVING
    assert len(variant_paths(context.spool)) == repeated


def test_a_value_that_was_filled_in_counts_from_then_on(
    context: FlowContext, ct: Dataset, send: Send
):
    ct.PatientBirthDate = ""
    send(ct)
    ct.PatientBirthDate = "19700203"
    send(new_instance(ct, 1))
    assert study(context).state == StudyState.RECEIVING
    ct.PatientBirthDate = "19700204"
    send(new_instance(ct, 2))
    assert study(context).state == StudyState.CONFLICT


def test_no_value_of_the_patient_is_in_the_database(context: FlowContext, ct: Dataset, send: Send):
    values = ("CANARY^NAME", "CANARY-ID", "CANARY-ISSUER", "19330405")
    ct.PatientName, ct.PatientID, ct.IssuerOfPatientID, ct.PatientBirthDate = values
    send(ct)
    ct.PatientSex = "F"
    send(ct)
    with context.database.read() as session:
        raw = session.connection().connection.driver_connection
        assert raw is not None
        dump = "\n".join(raw.iterdump())
    assert not [value for value in values if value in dump]
    with context.database.read() as session:
        assert all(
            len(digest) == 64
            for row in session.scalars(sa.select(Identity))
            for digest in row.fields.values()
        )


def test_a_study_of_an_older_version_is_held_against_its_patient_id(
    context: FlowContext, ct: Dataset, send: Send
):
    """Rows made before identities were noted know the PatientID, and it alone."""
    send(ct)
    with context.write() as transaction:
        transaction.execute(sa.update(Instance).values(identity_id=None))
        transaction.execute(sa.delete(Identity))
    ct.PatientName = "Not^Known^Then"
    send(new_instance(ct, 1))
    assert study(context).state == StudyState.RECEIVING
    ct.PatientID = "SOMEBODY ELSE"
    send(new_instance(ct, 2))
    assert study(context).state == StudyState.CONFLICT
