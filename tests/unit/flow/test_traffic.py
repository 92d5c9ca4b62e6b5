"""What is counted of the listener's traffic."""

from pydicom.dataset import Dataset

from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.storage_scp import StorageScp
from pacs_ai.flow.traffic import Traffic, TrafficMeter, read_traffic
from pacs_ai.net.scp.handlers import AssociationInfo
from tests.unit.flow.conftest import received_of

PEER = AssociationInfo("a", "CT", "AI_NODE", "127.0.0.1", 0.0)


def metering(context: FlowContext, name: str = "daemon") -> TrafficMeter:
    meter = TrafficMeter(context.spool, name)
    meter.begin()
    return meter


def test_an_association_is_counted(context: FlowContext, ct: Dataset) -> None:
    assert read_traffic(context.spool) == Traffic()
    meter = metering(context)
    reception = StorageScp(context, Arrivals(), meter)
    reception.opened(PEER)
    assert meter.read() == Traffic(open=1)
    received = received_of(context, ct)
    assert reception.store(received).status == 0
    assert reception.store(received_of(context, ct, sop_instance_uid="1.2.3")).status == 0xA901
    reception.refused(0xA700)
    reception.closed(PEER, "released")
    traffic = read_traffic(context.spool)
    assert traffic == meter.read()
    assert (traffic.open, traffic.associations, traffic.ended) == (0, 1, {"released": 1})
    assert traffic.answers == {0: 1, 0xA901: 1, 0xA700: 1}
    assert traffic.bytes == 2 * received.bytes
    assert traffic.seconds >= 0
    assert sum(traffic.classes) == 2


def test_counts_go_on_after_a_crash_and_open_associations_have_failed(context: FlowContext) -> None:
    first = metering(context)
    first.stored(0, 100, 0.002)
    first.opened()
    first.opened()
    first.ended("released")  # the other one is open, and no process closes it
    second = metering(context)
    second.stored(0, 50, 99.0)
    traffic = read_traffic(context.spool)
    assert (traffic.open, traffic.ended) == (0, {"released": 1, "failed": 1})
    assert (traffic.answers, traffic.bytes) == ({0: 2}, 150)
    assert (traffic.classes[1], traffic.classes[-1]) == (1, 1)


def test_the_counts_of_all_processes_are_added_up(context: FlowContext) -> None:
    for name in ("receiver-1", "receiver-2"):
        meter = metering(context, name)
        meter.opened()
        meter.stored(0, 10, 0.5)
    traffic = read_traffic(context.spool)
    assert (traffic.open, traffic.answers, traffic.seconds) == (2, {0: 2}, 1.0)
