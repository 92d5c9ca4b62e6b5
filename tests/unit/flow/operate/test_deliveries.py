"""What an operator does with deliveries, without the command line."""

import pytest

from pacs_ai.domain import DeliveryState, TaskKind
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import deliveries as operate
from pacs_ai.store import tasks
from pacs_ai.store.records import to_dict
from pacs_ai.store.selection import Filter
from tests.unit.store import samples

TOO_LARGE = 2**63
"""No database has such a row id, and none may fail on it."""


@pytest.fixture
def failed(context: FlowContext) -> int:
    with context.write() as transaction:
        return samples.failed_delivery(transaction, samples.analysed_job(transaction))


def state(context: FlowContext) -> str:
    (row,) = operate.list_deliveries(context, Filter())
    return row.state


def test_by_id(context: FlowContext, failed: int) -> None:
    assert operate.retry_deliveries(context, [failed, failed]).ids == [failed]
    (row,) = operate.list_deliveries(context, Filter())
    assert (row.state, row.reason) == (DeliveryState.PENDING, "")
    with context.database.read() as session:
        assert f"{row.job}:pacs" in tasks.existing(session, TaskKind.DELIVER)
    with pytest.raises(IllegalTransition):
        operate.retry_deliveries(context, [failed])


def test_all_that_match(context: FlowContext, failed: int) -> None:
    assert operate.retry_matching_deliveries(context, Filter(peer="other")).ids == []
    done = operate.retry_matching_deliveries(context, Filter(peer="pacs"))
    assert to_dict(done) == {"retried": 1, "ids": [failed]}
    with pytest.raises(StateError, match="only FAILED, WAITING"):
        operate.retry_matching_deliveries(context, Filter(state="STORED"))


@pytest.mark.parametrize("unknown", [99, TOO_LARGE])
def test_one_unknown_id_leaves_all_as_they_are(
    context: FlowContext, failed: int, unknown: int
) -> None:
    for action in (operate.retry_deliveries, operate.cancel_deliveries):
        with pytest.raises(StateError, match=f"no delivery {unknown}"):
            action(context, [failed, unknown])
    assert state(context) == DeliveryState.FAILED


def test_cancel(context: FlowContext, failed: int) -> None:
    assert operate.cancel_deliveries(context, [failed]) == [failed]
    assert state(context) == DeliveryState.CANCELLED
    with pytest.raises(IllegalTransition):
        operate.cancel_deliveries(context, [failed])


@pytest.mark.usefixtures("failed")
def test_the_sums_of_a_destination(context: FlowContext) -> None:
    (row,) = operate.list_deliveries(context, Filter())
    assert (row.status, row.reason) == ("0xC123", "X: why")
    assert [to_dict(one) for one in operate.list_destinations(context, Filter())] == [
        {
            "destination": "pacs",
            "deliveries": {"FAILED": 1},
            "waiting_since": row.created_at,
            "stored_at": None,
            "problem": "X",
        }
    ]
