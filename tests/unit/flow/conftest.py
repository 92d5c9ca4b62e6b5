"""What arrives at a node: one CT slice, and the ways to hand it to the receive step."""

from collections.abc import Callable
from io import BytesIO

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import CTImageStorage

from pacs_ai.dicom.part10 import read_meta
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.receive import receive
from pacs_ai.net.scp.dataset_writer import FileWriter, file_head
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
    info = AssociationInfo(association, "MODALITY", "AI_NODE", "127.0.0.1", 0.0)
    encoded = BytesIO()
    dcmwrite(encoded, dataset)
    sent = encoded.getvalue()
    sent = sent[read_meta(sent).dataset_offset : len(sent) - cut]
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    head = file_head(CTImageStorage, "1.2.3", syntax, (info.calling_aet, info.called_aet))
    writer = FileWriter(context.spool.new_incoming(), head, len(sent))
    writer.write(memoryview(sent))
    writer.spill()
    return ReceivedInstance(
        association=info,
        file=writer.incoming,
        sop_class_uid=command.get("sop_class_uid", str(dataset.get("SOPClassUID", ""))),
        sop_instance_uid=command.get("sop_instance_uid", str(dataset.get("SOPInstanceUID", ""))),
        transfer_syntax_uid=syntax,
        bytes=writer.size,
    )
