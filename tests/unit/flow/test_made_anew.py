"""A result whose file is lost comes back when its study goes through the rules again."""

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.integrity import check_result
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import studies
from pacs_ai.store.schema import Study
from tests.unit.flow.analysed import Patient, demo, on_a_node
from tests.unit.flow.faults import FAULTS, Fault, flipped


@pytest.fixture
def patient(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset
) -> Patient:
    """One study with its results."""
    assert send(ct).status == 0x0000
    one = on_a_node(context, clock)
    one.route()
    one.analyse()
    return one


def reroute(patient: Patient) -> None:
    with patient.context.write() as transaction:
        study = transaction.get_one(Study, 1)
        studies.reopen(transaction, study, note="reroute")
    patient.route()
    analyse(patient.context, {"demo": demo()}, patient.jobs()[-1].id)


def uids(patient: Patient) -> list[str]:
    return [one.sop_instance_uid for one in patient.results()]


@pytest.mark.parametrize("fault", [*FAULTS, flipped])
def test_lost_or_damaged_it_is_made_anew_under_its_uid(patient: Patient, fault: Fault) -> None:
    before, (lost, kept) = uids(patient), patient.results()
    fault(patient.context.spool.path_of(lost.path))
    reroute(patient)
    assert uids(patient) == before
    again, same = patient.results()
    assert (same.path, same.digest) == (kept.path, kept.digest)
    check_result(patient.context.spool, again.path, again.bytes, again.digest)


def test_one_that_is_whole_stays_what_it_is(patient: Patient) -> None:
    before = [(one.path, one.digest) for one in patient.results()]
    reroute(patient)
    assert [(one.path, one.digest) for one in patient.results()] == before
