"""A real archive that has lost files, dies while it sends, or is told to stop: what came stays."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.pulls import PullRecord, cancel_pulls
from pacs_ai.flow.operate.trace import trace_study
from pacs_ai.flow.retrieve import pull
from pacs_ai.flow.retrieve.pull import Puller
from pacs_ai.flow.storage_scp import StorageScp
from pacs_ai.flow.traffic import TrafficMeter
from pacs_ai.net.scp.handlers import ReceivedInstance, StoreAnswer
from pacs_ai.net.scp.server import ServerSettings, StorageServer
from pacs_ai.net.scu import cancelling
from tests.conftest import require
from tests.integration.orthanc_server import OrthancServer
from tests.ports import free_port
from tests.unit.flow.pulling import Archive

pytestmark = pytest.mark.integration

IMAGES = 5
SENT = 2
"""Of those, before the archive dies or is told to stop."""


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[OrthancServer]:
    ports = [free_port() for _ in range(3)]
    binary, site = Path(require("Orthanc")), {"MaximumStorageCacheSize": 0}
    with OrthancServer(binary, tmp_path / "o", *ports, route=False, site=site) as server:
        yield server


def study(orthanc: OrthancServer, folder: Path) -> str:
    """Put a study into the archive; returns its UID."""
    uid, series = generate_uid(), generate_uid()
    for number in range(IMAGES):
        one = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
        one.StudyInstanceUID, one.SeriesInstanceUID = uid, series
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        one.InstanceNumber = number
        one.save_as(folder / "one.dcm")
        orthanc.upload(folder / "one.dcm")
    return str(uid)


class Asking(Archive):
    """A node that asks an archive, and listens for what it sends."""

    handlers: "Watched"


@contextmanager
def asking(context: FlowContext, orthanc: OrthancServer, way: str) -> Iterator[Asking]:
    """Make a node that asks Orthanc in one of the ways."""
    own = context.config.node.model_copy(update={"ae_title": "AI_NODE"})
    context = replace(context, config=context.config.model_copy(update={"node": own}))
    if way == "web":
        made = Asking(context, f"http://127.0.0.1:{orthanc.http_port}/dicom-web")
    else:
        where = {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": orthanc.dicom_port}
        made = Asking(context, kind="dimse", retrieve=way, **where)
    meter = TrafficMeter(context.spool, "watched")
    meter.begin()
    made.handlers = Watched(made.node, Arrivals(), meter)
    made.puller = Puller(made.node, made.handlers)
    settings = ServerSettings(ae_titles=("AI_NODE",), port=orthanc.node_port)
    server = StorageServer(settings, made.handlers)
    server.start()
    try:
        yield made
    finally:
        server.stop()


def lose(orthanc: OrthancServer, count: int) -> list[tuple[Path, Path]]:
    """Move some files of the archive aside; returns from where to where."""
    found = sorted(
        path
        for path in (orthanc.folder / "data").rglob("*")
        if path.is_file() and path.read_bytes()[128:132] == b"DICM"
    )
    assert len(found) == IMAGES
    moved = [(path, orthanc.folder / f"lost {number}") for number, path in enumerate(found[:count])]
    for path, aside in moved:
        shutil.move(path, aside)
    return moved


def find_again(moved: list[tuple[Path, Path]]) -> None:
    for path, aside in moved:
        shutil.move(aside, path)


def check_told(archive: Archive, first: PullRecord) -> None:
    """Look at the timeline of a study that came in two parts."""
    steps = [
        one
        for one in trace_study(archive.node, first.study_instance_uid).steps
        if one.step in ("fetched", "fetch_waiting")
    ]
    assert [one.step for one in steps] == ["fetched", "fetch_waiting", "fetched"]
    assert steps[0].reason.startswith(f"{first.error_code}: archive")
    assert f"here of the study: {first.instances} instance" in steps[0].reason


@pytest.mark.parametrize("way", ["move", "get", "web"])
def test_what_the_archive_has_lost_is_told_and_comes_when_it_is_found(
    tmp_path: Path, context: FlowContext, orthanc: OrthancServer, way: str
) -> None:
    with asking(context, orthanc, way) as archive:
        uid = study(orthanc, tmp_path)
        moved = lose(orthanc, 2)
        archive.ask(uid)
        [first] = archive.sweep()
        assert (first.state, first.attempt) == ("QUEUED", 1)
        assert first.instances == archive.stored() < IMAGES
        assert first.error_text.startswith("archive")
        find_again(moved)
        [last] = archive.sweep(1000)
        assert (last.state, last.instances, archive.stored()) == ("DONE", IMAGES, IMAGES)
    check_told(archive, first)


class Watched(StorageScp):
    """Stores, and does something when two instances have come."""

    then: Callable[[], object] = staticmethod(lambda: None)
    stored = 0

    def store(self, received: ReceivedInstance) -> StoreAnswer:
        answer = super().store(received)
        self.stored += 1
        if self.stored == SENT:
            self.then()
        return answer


def die(process: "subprocess.Popen[bytes] | None") -> None:
    assert process is not None
    process.kill()
    process.wait()


@pytest.mark.parametrize("way", ["move", "get"])
def test_an_archive_that_dies_while_it_sends_is_asked_again(
    tmp_path: Path, context: FlowContext, orthanc: OrthancServer, way: str
) -> None:
    with asking(context, orthanc, way) as archive:
        uid = study(orthanc, tmp_path)
        archive.ask(uid)
        archive.handlers.then = partial(die, orthanc.process)
        [first] = archive.sweep()
        assert (first.state, first.attempt) == ("QUEUED", 1)
        assert first.instances == archive.stored() == SENT
        assert orthanc.ended()
        [again] = archive.sweep(1000)
        assert (again.state, again.error_code) == ("QUEUED", "PEER_UNREACHABLE")
        orthanc.start()
        [last] = archive.sweep(1000)
        assert (last.state, last.instances, archive.stored()) == ("DONE", IMAGES, IMAGES)


@pytest.mark.parametrize("way", ["move", "get"])
def test_an_archive_is_told_to_stop(
    tmp_path: Path,
    context: FlowContext,
    orthanc: OrthancServer,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (pull, cancelling):
        monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)
    with asking(context, orthanc, way) as archive:
        archive.ask(study(orthanc, tmp_path))
        archive.handlers.then = partial(cancel_pulls, archive.node)
        [row] = archive.sweep()
        assert (row.state, row.error_text) == ("CANCELLED", "")
        assert SENT <= archive.stored() < IMAGES
        assert archive.sweep(1000)[0].state == "CANCELLED"
