"""What arrives at a node: one CT slice, and the ways to hand it to the receive step."""

import os
from collections.abc import Callable

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.receive import receive
from pacs_ai.net.scp.handlers import AssociationInfo, ReceivedInstance, StoreAnswer


@pytest.fixture
def ct() -> Dataset:
    """One CT slice, its identity the caller's to change."""
    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    return pydicom.dcmread(path)


@pytest.fixture
def send(context: FlowContext) -> Callable[..., StoreAnswer]:
    """Hand a data set to the receive step as the listener would."""
    arrivals = Arrivals()

    def send(
        dataset: Dataset, association: str = "a", arrivals: Arrivals = arrivals, **command: str
    ) -> StoreAnswer:
        return arrive(context, arrivals, dataset, association, **command)

    return send


def arrive(
    context: FlowContext,
    arrivals: Arrivals,
    dataset: Dataset,
    association: str,
    cut: int = 0,
    **command: str,
) -> StoreAnswer:
    received = received_of(context, dataset, association, cut, **command)
    return receive(context, arrivals, received)


def received_of(
    context: FlowContext, dataset: Dataset, association: str = "a", cut: int = 0, **command: str
) -> ReceivedInstance:
    """What the listener hands over when a data set has arrived."""
    incoming = context.spool.new_incoming()
    with os.fdopen(os.dup(incoming.fd), "wb") as file:
        dcmwrite(file, dataset)
        file.truncate(file.tell() - cut)
    return ReceivedInstance(
        association=AssociationInfo(association, "MODALITY", "AI_NODE", "127.0.0.1", 0.0),
        file=incoming,
        sop_class_uid=command.get("sop_class_uid", str(dataset.get("SOPClassUID", ""))),
        sop_instance_uid=command.get("sop_instance_uid", str(dataset.get("SOPInstanceUID", ""))),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        bytes=incoming.path.stat().st_size,
    )
