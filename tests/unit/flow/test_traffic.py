"""What is counted of the listener's traffic."""

from pydicom.dataset import Dataset

from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.storage_scp import StorageScp
from pacs_ai.flow.traffic import Traffic, TrafficMeter
from pacs_ai.net.scp.handlers import AssociationInfo
from tests.unit.flow.conftest import received_of

PEER = AssociationInfo("a", "CT", "AI_NODE", "127.0.0.1", 0.0)


def test_an_association_is_counted(context: FlowContext, ct: Dataset) -> None:
    meter = TrafficMeter()
    reception = StorageScp(context, Arrivals(), meter)
    reception.opened(PEER)
    assert meter.read() == Traffic(open=1)
    received = received_of(context, ct)
    assert reception.store(received).status == 0
    assert reception.store(received_of(context, ct, sop_instance_uid="1.2.3")).status == 0xA901
    reception.closed(PEER, "released")
    traffic = meter.read()
    assert (traffic.open, traffic.ended) == (0, {"released": 1})
    assert traffic.answers == {0: 1, 0xA901: 1}
    assert traffic.bytes == 2 * received.bytes
    assert traffic.seconds >= 0
