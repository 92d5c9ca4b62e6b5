"""Figures of the curves: a column of minutes, from the rows."""

from datetime import timedelta

import pytest

from pacs_ai.clock import ManualClock
from pacs_ai.domain import JobId
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import deliveries
from pacs_ai.store.schema import Job
from pacs_ai.store.transition import record
from pacs_ai.web.app import make_app
from pacs_ai.web.curves import HOURS, Curves
from tests.http_client import HttpClient
from tests.unit.store import samples


def arrive(context: FlowContext, number: int) -> None:
    with context.write() as transaction:
        samples.add_instance(transaction, samples.arrival(number), samples.sender())


def test_minutes_that_are_over_are_read_once(context: FlowContext, clock: ManualClock) -> None:
    curves = Curves()
    for number in range(1, 6):
        arrive(context, number)
        found = curves.figures(context)
        assert found == Curves().figures(context), "as one who starts now"
        assert sum(one or 0 for one in found["images"]) == number
        clock.advance(60)
    assert curves.figures(context)["images"][-6:] == [1, 1, 1, 1, 1, 0]
    clock.advance(HOURS * 3600)
    assert sum(one or 0 for one in curves.figures(context)["images"]) == 0
    assert not curves._counts


def test_a_report_has_its_time(context: FlowContext, clock: ManualClock) -> None:
    with context.write() as transaction:
        samples.analysed_job(transaction)
    clock.advance(4)
    with context.write() as transaction:
        [job] = transaction.query(Job)
        [claimed] = deliveries.claim(transaction, JobId(job.id), "pacs", lease_seconds=60)
        assert deliveries.stored(transaction, claimed, status=0, note="")
    found = HttpClient(make_app(context)).get("/curves").json()
    assert len(found["time"]) == len(found["p50"]) == HOURS * 60
    assert timedelta(seconds=found["time"][1] - found["time"][0]) == timedelta(minutes=1)
    assert (sum(found["analyses"]), sum(found["results"])) == (1, 1)
    assert {one for one in found["p50"] if one is not None} == {4.0}


@pytest.mark.parametrize("started", [False, True])
def test_a_new_node_has_curves_without_any_image(context: FlowContext, *, started: bool) -> None:
    if started:
        with context.write() as transaction:
            record(transaction, "node", "vm", "", "STARTED")
    found = HttpClient(make_app(context)).get("/curves").json()
    assert sum(found["images"]) == sum(found["studies"]) == 0
    assert set(found["p50"]) == {None}
