"""An operator asks for storage commitment; what is asked over the network has its own tests."""

import pytest

from pacs_ai.errors import StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.commitment import ask_commitment
from tests.unit.store import samples


def test_there_is_nothing_to_ask_about(context: FlowContext) -> None:
    with context.write() as transaction:
        job = samples.analysed_job(transaction)
    with pytest.raises(StateError, match=f"job {job} has nothing stored"):
        ask_commitment(context, job[:8])
    with pytest.raises(StateError, match="no job begins"):
        ask_commitment(context, "no such")
