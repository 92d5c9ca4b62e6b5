"""deploy/orthanc: an archive routes studies to the node, each instance once, and forgets none."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom.data
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt
from pynetdicom.transport import ThreadedAssociationServer

from tests.integration.orthanc_server import OrthancServer
from tests.node import wait_for

pytestmark = pytest.mark.integration

CT = "1.2.840.10008.5.1.4.1.1.2"


class Recorder:
    """Stands where the node would: notes what arrives, and refuses what it is told to."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.arrived: list[str] = []
        self.refuse: dict[str, int] = {}
        self._server: ThreadedAssociationServer | None = None

    def start(self) -> None:
        entity = AE("AI_NODE")
        entity.add_supported_context(CT, ExplicitVRLittleEndian)
        self._server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def wait_for(self, uids: set[str]) -> None:
        wait_for(lambda: uids <= set(self.arrived), lambda: f"only {len(self.arrived)} arrived")

    def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        if status := self.refuse.get(uid):
            return status
        self.arrived.append(uid)
        return 0


def write_study(folder: Path, instances: int) -> list[Path]:
    """Make a CT study that differs from every other one."""
    source = dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    source.StudyInstanceUID, source.SeriesInstanceUID = generate_uid(), generate_uid()
    paths = []
    for number in range(instances):
        source.InstanceNumber = str(number + 1)
        source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        paths.append(folder / f"{source.SOPInstanceUID}.dcm")
        source.save_as(paths[-1])
    return paths


def uids_of(paths: list[Path]) -> set[str]:
    return {path.stem for path in paths}


def send_back(archive: OrthancServer, like: Path) -> str:
    """Send an object into the same study, as the node does with its results."""
    result: Dataset = dcmread(like)
    result.SOPInstanceUID = result.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    entity = AE("AI_NODE")
    entity.add_requested_context(CT, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", archive.dicom_port, ae_title="ORTHANC")
    assert association.is_established
    assert association.send_c_store(result).Status == 0
    association.release()
    return str(result.SOPInstanceUID)


def nudge(archive: OrthancServer, node: Recorder, folder: Path) -> None:
    """Bring one more study, which is what makes Orthanc 1.10 look at failed sends again."""
    (path,) = write_study(folder, 1)
    archive.upload(path)
    node.wait_for({path.stem})


@pytest.fixture
def node(free_port: Callable[[], int]) -> Iterator[Recorder]:
    recorder = Recorder(free_port())
    recorder.start()
    yield recorder
    recorder.stop()


@pytest.fixture
def archive(
    tool: Callable[[str], Path], free_port: Callable[[], int], node: Recorder, tmp_path: Path
) -> Iterator[OrthancServer]:
    folder = tmp_path / "orthanc"
    folder.mkdir()
    with OrthancServer(tool("Orthanc"), folder, free_port(), free_port(), node.port) as server:
        yield server


def test_results_are_not_routed_and_late_images_are(
    archive: OrthancServer, node: Recorder, tmp_path: Path
) -> None:
    first, late = (paths := write_study(tmp_path, 4))[:3], paths[3:]
    for path in first:
        archive.upload(path)
    node.wait_for(uids_of(first))
    result = send_back(archive, first[0])
    for path in late:
        archive.upload(path)
    node.wait_for(uids_of(paths))
    wait_for(lambda: archive.log.count("autoroute: study") >= 2)
    time.sleep(2)
    assert sorted(node.arrived) == sorted(uids_of(paths))
    assert result not in node.arrived


def test_what_the_node_missed_is_sent_with_the_next_study(
    archive: OrthancServer, node: Recorder, tmp_path: Path
) -> None:
    node.stop()
    missed = write_study(tmp_path, 2)
    for path in missed:
        archive.upload(path)
    wait_for(lambda: "failed; it is sent again" in archive.log)
    archive.stop()
    archive.start()
    node.start()
    following = write_study(tmp_path, 1)
    archive.upload(following[0])
    node.wait_for(uids_of(missed + following))
    assert len(node.arrived) == 3


def test_a_refused_instance_holds_nothing_back(
    archive: OrthancServer, node: Recorder, tmp_path: Path
) -> None:
    paths = write_study(tmp_path, 4)
    refused = paths[0].stem
    node.refuse[refused] = 0xC000
    ids = [archive.upload(path) for path in paths]
    wait_for(lambda: "failed; it is sent again" in archive.log)
    nudge(archive, node, tmp_path)  # now each goes alone
    node.wait_for(uids_of(paths) - {refused})
    wait_for(lambda: archive.log.count("failed; it is sent again") == 2)
    nudge(archive, node, tmp_path)  # now the refused one is marked
    assert archive.get(f"/instances/{ids[0]}/metadata/SentToAi") == b"refused 0xC000"
    nudge(archive, node, tmp_path)
    assert archive.log.count("failed; it is sent again") == 2
    assert refused not in node.arrived


def test_a_node_without_room_is_asked_again(
    archive: OrthancServer, node: Recorder, tmp_path: Path
) -> None:
    (path,) = write_study(tmp_path, 1)
    node.refuse[path.stem] = 0xA700
    archive.upload(path)
    wait_for(lambda: "failed; it is sent again" in archive.log)
    node.refuse.clear()
    nudge(archive, node, tmp_path)
    node.wait_for({path.stem})
