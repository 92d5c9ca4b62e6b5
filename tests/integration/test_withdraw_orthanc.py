"""A real Orthanc knows no rejection notes: what is withdrawn is deleted there, at once."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config.web_service import Deletion
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.http.address import WebAddress
from pacs_ai.net.http.dicomweb import DicomwebPeerClient
from tests.conftest import require
from tests.integration.orthanc_server import OrthancServer
from tests.ports import free_port
from tests.unit.conftest import clock, context, make_context, open_database
from tests.unit.flow.conftest import ct, send
from tests.unit.flow.ready import dimse
from tests.unit.flow.withdrawing import Send, analysed

__all__ = ["clock", "context", "ct", "make_context", "open_database", "send"]

SOON = 5.0
"""Seconds after which a viewer must not show anything withdrawn."""

pytestmark = pytest.mark.integration


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[OrthancServer]:
    ports = [free_port() for _ in range(3)]
    folder = tmp_path / "orthanc"
    with OrthancServer(Path(require("Orthanc")), folder, *ports, route=False) as server:
        yield server


def listed(orthanc: OrthancServer, study: str) -> set[str]:
    """Ask as OHIF does: for the series of a study, and the instances of each."""
    url = f"http://127.0.0.1:{orthanc.http_port}/dicom-web"
    with DicomwebPeerClient(WebAddress("orthanc", url)) as client:
        return {
            str(found.SOPInstanceUID)
            for series in client.search("series", {}, study=study)
            for found in client.search(
                "instances", {}, study=study, series=str(series.SeriesInstanceUID)
            )
        }


def test_nothing_withdrawn_is_listed_any_more(
    orthanc: OrthancServer,
    context: FlowContext,
    clock: ManualClock,
    send: Send,
    ct: Dataset,
    tmp_path: Path,
) -> None:
    source = tmp_path / "source.dcm"
    ct.save_as(source)
    orthanc.upload(source)
    rest = Deletion(kind="orthanc", url=f"http://127.0.0.1:{orthanc.http_port}")
    peer = dimse(orthanc.dicom_port, ae_title="ORTHANC", withdrawal="delete", delete=rest)
    one = analysed(context, clock, send, ct, {"archive": peer})
    one.send()
    uid = str(ct.StudyInstanceUID)
    assert len(listed(orthanc, uid)) == 3
    one.take_back()
    begin = time.monotonic()
    one.tell()
    assert listed(orthanc, uid) == {str(ct.SOPInstanceUID)}
    assert time.monotonic() - begin < SOON
    assert one.outcomes()["archive"] == [("deleted there", 2, "STORED")]
    one.again()
    one.send()
    assert len(listed(orthanc, uid)) == 3
