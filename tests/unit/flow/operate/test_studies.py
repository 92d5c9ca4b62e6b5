"""What an operator does with studies, without the command line."""

import pytest

from pacs_ai.domain import DeliveryState, JobState, StudyId, StudyState, TaskKind
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import deliveries
from pacs_ai.flow.operate import studies as operate
from pacs_ai.flow.operate.find import selection
from pacs_ai.store import admission, instances, tasks
from pacs_ai.store.records import to_dict
from pacs_ai.store.schema import Event, Instance, Study
from pacs_ai.store.selection import Filter
from tests.unit.store import samples
from tests.unit.store.samples import add_instance, arrival, sender

ACTIONS = (
    operate.get_study,
    operate.show_study,
    operate.close_study,
    operate.reroute_study,
    operate.list_choices,
    operate.delete_study,
)


def receiving(context: FlowContext) -> None:
    with context.write() as transaction:
        add_instance(transaction, arrival(), sender())


def conflict(context: FlowContext) -> None:
    """One instance that came for two patients."""
    receiving(context)
    with context.write() as transaction:
        row = transaction.get_one(Instance, 1)
        aside = instances.SetAside("1.2.840.10008.1.2", "node/variants/2.dcm", 9, "c")
        admission.set_aside(transaction, row, aside, sender("p2", calling="RIS"))


def routes(context: FlowContext) -> set[str]:
    with context.database.read() as session:
        return tasks.existing(session, TaskKind.ROUTE)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_unknown_study(context: FlowContext, action: object) -> None:
    assert callable(action)
    with pytest.raises(StateError, match="no study 77"):
        action(context, "77")
    with pytest.raises(StateError, match="no study 77"):
        selection(context, study="77")


@pytest.mark.parametrize("reference", ["1", "1.2.3"])
def test_close(context: FlowContext, reference: str) -> None:
    receiving(context)
    assert operate.close_study(context, reference) == operate.StudyRevision(1, 1)
    assert operate.get_study(context, "1").state == StudyState.COMPLETE
    assert routes(context) == {"1:1"}
    with pytest.raises(IllegalTransition, match="not RECEIVING"):
        operate.close_study(context, reference)


def test_reroute_makes_a_new_revision(context: FlowContext) -> None:
    receiving(context)
    with pytest.raises(IllegalTransition, match="not ROUTED"):
        operate.reroute_study(context, "1")
    operate.close_study(context, "1")
    assert operate.reroute_study(context, "1") == operate.StudyRevision(1, 2)
    assert routes(context) == {"1:1", "1:2"}
    with context.database.read() as session:
        actors = {event.actor for event in session.query(Event).filter(Event.note != "")}
    assert context.owner in actors


def test_resolve_takes_a_name_or_a_number(context: FlowContext) -> None:
    conflict(context)
    first, second = operate.list_choices(context, "1")
    assert (first.keep, first.in_use, second.keep, second.from_) == (
        "first",
        True,
        "corrected",
        ["RIS"],
    )
    assert "from" in to_dict(second)
    with pytest.raises(StateError, match="one of first, corrected"):
        operate.resolve_study(context, "1", "third")
    assert operate.get_study(context, "1").state == StudyState.CONFLICT
    assert operate.resolve_study(context, "1", "2") == operate.StudyRevision(1, 2)
    assert operate.get_study(context, "1").state == StudyState.COMPLETE
    with pytest.raises(IllegalTransition, match="not CONFLICT"):
        operate.list_choices(context, "1")


def test_delete_says_what_is_gone_and_what_peers_keep(context: FlowContext) -> None:
    with context.write() as transaction:
        job = samples.analysed_job(transaction)
    with pytest.raises(IllegalTransition, match="deliveries cancel 1"):
        operate.delete_study(context, "1")
    deliveries.cancel_deliveries(context, [1])
    assert operate.delete_study(context, "1") == operate.DeletedStudy(1, 2, 0)
    record = operate.get_study(context, "1")
    assert (record.state, record.instances) == (StudyState.DELETED, 0)
    assert job not in str(operate.show_study(context, "1").jobs)


def test_a_study_with_all_that_belongs_to_it(context: FlowContext) -> None:
    with context.write() as transaction:
        samples.failed_delivery(transaction, samples.analysed_job(transaction))
    (listed,) = operate.list_studies(context, Filter())
    details = operate.show_study(context, "1.2.3")
    assert to_dict(details).items() >= to_dict(listed).items()
    assert [job.state for job in details.jobs] == [JobState.SUCCEEDED]
    assert [one.state for one in details.deliveries] == [DeliveryState.FAILED]
    assert {one.entity for one in details.events} == {"study", "job", "delivery"}
    assert [one.instances for one in details.senders] == [1]
    assert details.patients == []
    (sums,) = operate.list_destinations(context, Filter())
    assert sums.deliveries == {"FAILED": 1}


def test_by_accession_number(context: FlowContext) -> None:
    receiving(context)
    with pytest.raises(StateError, match="accession"):
        operate.show_accession(context, "A1")
    with context.write() as transaction:
        transaction.get_one(Study, StudyId(1)).accession_key = context.accession_key("A1")
    assert [study.id for study in operate.show_accession(context, " A1 ")] == [1]
