"""A request of STOW-RS while it arrives."""

import tracemalloc
from io import BytesIO

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.filewriter import dcmwrite

from pacs_ai.dicomweb.errors import RequestRefused
from pacs_ai.dicomweb.stow import StoreRequest
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.storage_scp import StorageScp
from pacs_ai.flow.traffic import TrafficMeter, read_traffic
from pacs_ai.net.http.multipart import written
from pacs_ai.net.scp.handlers import AssociationInfo

PEER = AssociationInfo("a", "WEB", "AI_NODE", "127.0.0.1", 0.0)
RELATED = 'multipart/related; type="application/dicom"; boundary=frontier'
PIECE = 1 << 16


def encoded(frames: int) -> bytes:
    """A CT slice, and then again, until it is large."""
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.NumberOfFrames, dataset.PixelData = frames, dataset.PixelData * frames
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.{frames}"
    buffer = BytesIO()
    dcmwrite(buffer, dataset)
    return b"".join(written([("application/dicom", [buffer.getvalue()])], "frontier"))


def request(context: FlowContext, limit: int = 1 << 30) -> StoreRequest:
    meter = TrafficMeter(context.spool, "web")
    meter.begin()
    return StoreRequest(StorageScp(context, Arrivals(), meter), PEER, RELATED, "", limit)


def test_of_a_large_instance_little_is_in_memory(context: FlowContext) -> None:
    first = request(context)  # what is imported at the first one is not counted
    first.feed(encoded(1))
    first.finish(lambda _: "")
    body = encoded(600)  # 20 MB
    work = request(context)
    tracemalloc.start()
    try:
        for start in range(0, len(body), PIECE):
            work.feed(body[start : start + PIECE])
        status, _ = work.finish(lambda _: "")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert status == 200
    assert peak < 16 * PIECE


def test_what_is_too_large_is_refused_while_it_arrives(context: FlowContext) -> None:
    body = encoded(20)
    work = request(context, limit=100_000)
    work.feed(body[: len(body) // 2])
    assert list((context.spool.home / "tmp").iterdir()) == []
    work.feed(body[len(body) // 2 :])
    status, answer = work.finish(lambda _: "")
    assert status == 503
    assert answer["00081198"]["Value"][0]["00081197"]["Value"] == [0xA700]


def test_a_sender_that_is_gone_leaves_nothing(context: FlowContext) -> None:
    body = encoded(20)
    work = request(context)
    work.feed(body[: len(body) // 2])
    work.abandon()
    assert list((context.spool.home / "tmp").iterdir()) == []
    assert read_traffic(context.spool).ended == {"aborted": 1}


def test_a_body_that_is_cut_off_is_refused(context: FlowContext) -> None:
    work = request(context)
    work.feed(encoded(1)[:-20])
    with pytest.raises(RequestRefused, match="middle of a part"):
        work.finish(lambda _: "")
    work.abandon()
    assert read_traffic(context.spool).open == 0


def test_every_part_is_counted_with_its_status(context: FlowContext) -> None:
    work = request(context)
    parts = [("image/png", [b"\x89PNG"]), ("application/dicom", [b"no DICOM"])]
    work.feed(b"".join(written(parts, "frontier")))
    status, _ = work.finish(lambda _: "")
    assert status == 409
    assert read_traffic(context.spool).answers == {0xC000: 2}
