"""A study that an older version put into CONFLICT: the start notes whom its images name."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.domain import StudyState
from pacs_ai.flow import correct, recover
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import corrections, identities
from pacs_ai.store.schema import Identity, Instance, Study

Send = Callable[..., StoreAnswer]
NAMES = ("Right^One", "RIGHT^ONE", "Other^One")


@pytest.fixture
def old_conflict(context: FlowContext, send: Send, ct: Dataset) -> Study:
    """A study of three images, two of them of one patient, as after the upgrade of its database."""
    uid = ct.SOPInstanceUID
    for number, name in enumerate(NAMES):
        ct.SOPInstanceUID = ct.file_meta.MediaStorageSOPInstanceUID = f"{uid}.{number}"
        ct.PatientName = name
        send(ct)
    with context.write() as transaction:
        transaction.execute(sa.update(Instance).values(identity_id=None))
        transaction.execute(sa.delete(Identity))
        study = transaction.scalars(sa.select(Study)).one()
        assert study.state == StudyState.CONFLICT
        return study


def choices(context: FlowContext, study: Study) -> list[corrections.Choice]:
    with context.database.read() as session:
        return corrections.choices(session, study)


def test_a_person_has_the_choices_after_the_start(context: FlowContext, old_conflict: Study):
    assert choices(context, old_conflict) == []
    for _ in range(2):  # the second start finds them noted
        recover.restart(context, Arrivals())
    first, other = choices(context, old_conflict)
    assert (first.files, other.files, other.differs) == (2, 1, ("PatientName",))
    assert first.in_use
    correct.resolve(context, old_conflict.id, other.number)
    with context.database.read() as session:
        study = session.get_one(Study, old_conflict.id)
        named = identities.foreign(session, study)
    assert study.state == StudyState.RECEIVING
    assert len(named) == 2
    assert all(named.values()), "a file that names the right patient is known"


def test_a_file_that_is_gone_says_nothing(context: FlowContext, old_conflict: Study):
    with context.database.read() as session:
        paths = session.scalars(sa.select(Instance.path).order_by(Instance.id)).all()
    context.spool.delete(paths[0])
    recover.restart(context, Arrivals())
    assert [one.files for one in choices(context, old_conflict)] == [1, 1]


def test_without_any_file_the_start_goes_on(context: FlowContext, old_conflict: Study):
    with context.database.read() as session:
        for path in session.scalars(sa.select(Instance.path)):
            context.spool.delete(path)
    recover.restart(context, Arrivals())
    assert choices(context, old_conflict) == []
