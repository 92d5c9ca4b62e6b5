"""SIGKILL where a correction withdraws results, and where they are deleted at an archive."""

import importlib
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path

import pydicom
import pytest

from tests.archive import to_archive
from tests.crash.killing import HOOK, gone, marked, restarted_if_dead
from tests.crash.test_withdraw import NODE, send_and_wait, withdraw
from tests.integration.orthanc_server import OrthancServer
from tests.iocm_archive import IocmArchive, iocm_archive
from tests.node import Node, node
from tests.samples import changed, sample

RESOLVE = [
    "pacs_ai.store.corrections:keep:before",
    "pacs_ai.store.corrections:keep:after",
    "pacs_ai.flow.correct:resolve:after",
]
"""Points at which the command that ends a CONFLICT dies; a person gives it again."""

DELETE = [
    "pacs_ai.destinations.deletion:DeletingDestination._obeyed:before",
    "pacs_ai.destinations.deletion:delete_instance:before",
    "pacs_ai.destinations.deletion:delete_instance:after",
    "pacs_ai.destinations.deletion:DeletingDestination._obeyed:after",
]
"""Points at which a worker dies that deletes two objects, one after the other."""

QUICK = {NODE[3], RESOLVE[1], DELETE[2]}

DELETES = """withdrawal = "delete"
[peers.archive.delete]
kind = "orthanc"
url = "http://127.0.0.1:{port}"
"""

pytestmark = pytest.mark.crash


@pytest.mark.parametrize("point", [*RESOLVE, *DELETE])
def test_every_point_is_there(point: str):
    module, path, _ = point.split(":")
    assert callable(attrgetter(path)(importlib.import_module(module)))


def dies_at(point: str, flag: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{HOOK}", "PACS_AI_TEST_KILL": f"{point}:{flag}"}


def comes_under_another_patient(one: Node, folder: Path) -> None:
    assert one.send(changed(folder, PatientID="RIGHT-ID", PatientName="Right^Patient")) == [0]
    one.wait_for(lambda: one.states("study") == ["CONFLICT"])


def resolve(one: Node) -> int:
    return one.command("studies", "resolve", "1", "--keep", "corrected").returncode


def told_once(one: Node, archive: IocmArchive) -> None:
    """The archive hides both old results, shows both new ones, and has got one note."""
    one.wait_for(lambda: restarted_if_dead(one) and len(archive.notes) == 1)
    one.wait_for(lambda: one.states("delivery") == ["STORED"] * 5)
    shown = [archive.kept[uid] for uid in archive.visible()]
    assert {str(dataset.PatientID) for dataset in shown} == {"RIGHT-ID"}
    assert len(shown) == len(archive.rejected) == 2
    assert archive.refused == []
    assert one.stop() == 0


@pytest.mark.parametrize("point", marked(NODE, QUICK, pytest.mark.thorough))
def test_a_node_that_dies_after_a_correction_tells_once(
    point: str, tmp_path: Path, free_port: Callable[[], int]
):
    port, flag = free_port(), tmp_path / "died"
    with (
        iocm_archive(port) as archive,
        node(tmp_path / "node", free_port(), extra=to_archive(port), **dies_at(point, flag)) as one,
    ):
        one.start()
        send_and_wait(one, archive)
        comes_under_another_patient(one, tmp_path / "sent")
        assert resolve(one) == 0
        one.wait_for(flag.exists)
        one.wait_for(lambda: gone(one, flag))
        told_once(one, archive)


@pytest.mark.parametrize("point", marked(RESOLVE, QUICK, pytest.mark.thorough))
def test_a_correction_that_dies_can_be_given_again(
    point: str, tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
):
    port, flag = free_port(), tmp_path / "died"
    with (
        iocm_archive(port) as archive,
        node(tmp_path / "node", free_port(), extra=to_archive(port)) as one,
    ):
        one.start()
        send_and_wait(one, archive)
        comes_under_another_patient(one, tmp_path / "sent")
        with monkeypatch.context() as patch:
            for name, value in dies_at(point, flag).items():
                patch.setenv(name, value)
            assert resolve(one) == -9
        assert resolve(one) == (0 if point in RESOLVE[:2] else 1)  # 1: it was entered whole
        told_once(one, archive)


@pytest.fixture
def orthanc(
    tmp_path: Path, tool: Callable[[str], Path], free_port: Callable[[], int]
) -> Iterator[OrthancServer]:
    ports = [free_port() for _ in range(3)]
    with OrthancServer(tool("Orthanc"), tmp_path / "orthanc", *ports, route=False) as server:
        yield server


@pytest.mark.parametrize("point", marked(DELETE, QUICK, pytest.mark.thorough))
def test_a_node_that_dies_deletes_all_and_nothing_else(
    point: str, tmp_path: Path, free_port: Callable[[], int], orthanc: OrthancServer
):
    flag = tmp_path / "died"
    deletes = DELETES.format(port=orthanc.http_port)
    extra = to_archive(orthanc.dicom_port, title="ORTHANC", peer=deletes)
    orthanc.upload(sample())
    with node(tmp_path / "node", free_port(), extra=extra, **dies_at(point, flag)) as one:
        one.start()
        assert one.send(sample()) == [0]
        one.wait_for(lambda: one.states("delivery") == ["STORED"] * 2)
        assert len(listed(orthanc)) == 3
        assert withdraw(one) == 0
        one.wait_for(flag.exists)
        one.wait_for(lambda: gone(one, flag))
        one.wait_for(lambda: restarted_if_dead(one) and one.states("delivery") == ["STORED"] * 3)
        assert listed(orthanc) == [str(pydicom.dcmread(sample()).SOPInstanceUID)]
        assert one.stop() == 0


def listed(orthanc: OrthancServer) -> list[str]:
    found = orthanc.find(
        "Instance", StudyInstanceUID=str(pydicom.dcmread(sample()).StudyInstanceUID)
    )
    return [one["MainDicomTags"]["SOPInstanceUID"] for one in found]
