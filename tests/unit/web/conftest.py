"""What the tests of the web process share."""

import pytest

from pacs_ai.domain import DeliveryState, JobId
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.schema import Delivery
from tests.unit.store import samples


@pytest.fixture
def job(context: FlowContext) -> JobId:
    """A study with a job that has succeeded and deliveries that have failed."""
    with context.write() as transaction:
        made = samples.analysed_job(transaction)
        for delivery in transaction.query(Delivery):
            delivery.state, delivery.error_code = DeliveryState.FAILED, "PEER_UNREACHABLE"
    return made
