"""The archive that a study came from is asked whether all of it is here: Orthanc, and DCMTK's."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from tests.archive import to_archive
from tests.integration.orthanc_server import OrthancServer
from tests.node import Node, node
from tests.samples import sample

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RULE = 'count_check = true\ncount_peer = "archive"'
NOTES = "SELECT note FROM event WHERE entity = 'arrival' ORDER BY id"
REASON = "SELECT note FROM event WHERE entity = 'study' AND to_state = 'COMPLETE' ORDER BY id"


def images(folder: Path, number: int) -> list[Path]:
    """Write images of one series."""
    source = pydicom.dcmread(sample("MR_small.dcm"))
    paths = []
    for index in range(number):
        source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        source.InstanceNumber = str(index + 1)
        paths.append(folder / f"{index}.dcm")
        source.save_as(paths[-1])
    return paths


@contextmanager
def orthanc(
    tool: Callable[[str], Path], folder: Path, ports: tuple[int, int], http: int
) -> Iterator[str]:
    with OrthancServer(tool("Orthanc"), folder, http, ports[1], ports[0], route=False):
        yield "ORTHANC"


@contextmanager
def dcmqrscp(
    tool: Callable[[str], Path], folder: Path, ports: tuple[int, int], _http: int
) -> Iterator[str]:
    """It tells no number of images in a series: each has to be found."""
    settings = folder / "dcmqrscp.cfg"
    settings.write_text(
        f"NetworkTCPPort = {ports[1]}\nMaxPDUSize = 16384\nMaxAssociations = 8\n"
        f"HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nARCHIVE {folder} RW (100, 1024mb) ANY\nAETable END\n",
        "ascii",
    )
    server = subprocess.Popen(
        [tool("dcmqrscp"), "-c", str(settings)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield "ARCHIVE"
    finally:
        server.kill()
        server.wait()


@contextmanager
def orthanc_by_qido(
    tool: Callable[[str], Path], folder: Path, ports: tuple[int, int], http: int
) -> Iterator[str]:
    """The archive as before; it is asked by DICOMweb."""
    with orthanc(tool, folder, ports, http) as title:
        yield title


@pytest.mark.parametrize("archive", [orthanc, dcmqrscp, orthanc_by_qido])
def test_what_the_archive_has_is_waited_for_even_by_a_node_that_was_killed(
    archive: Callable[..., AbstractContextManager[str]],
    tool: Callable[[str], Path],
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    ports = free_port(), free_port()
    folder = tmp_path / "archive"
    folder.mkdir()
    first, second, late = images(tmp_path, 3)
    http = free_port()
    rule, asked, web = RULE, "archive", ""
    if archive is orthanc_by_qido:
        rule, asked = RULE.replace("archive", "web"), "web"
        web = f'[peers.web]\nkind = "dicomweb"\nurl = "http://127.0.0.1:{http}/dicom-web"\n'
    with archive(tool, folder, ports, http) as title:

        def keep(*paths: Path) -> None:
            send = [tool("storescu"), "-aec", title, "127.0.0.1", str(ports[1]), *map(str, paths)]
            subprocess.run(send, check=True, timeout=60)

        extra = web + to_archive(ports[1], title=title, rule=rule)
        with node(tmp_path / "node", ports[0], extra=extra) as one:
            one.start()
            one.wait_for(lambda: sent(keep, first, second))
            assert one.send(first) == [0]
            one.wait_for(lambda: one.query(NOTES))
            assert one.query(NOTES) == [(f"{asked} has 2 images, 1 of them are here",)]
            one.kill()
            one.start()
            assert one.send(second) == [0]
            one.wait_for(lambda: set(one.states("delivery")) == {"STORED"})
            assert reasons(one) == [f"{asked} has 2 images, all are here"]
            # the archive has the results of the node by now: they are not waited for
            keep(late)
            assert one.send(late) == [0]
            one.wait_for(lambda: len(reasons(one)) == 2)
            assert reasons(one)[1] == f"{asked} has 3 images, all are here"


def sent(keep: Callable[..., None], *paths: Path) -> bool:
    """Store in the archive; False while it does not listen yet."""
    try:
        keep(*paths)
    except subprocess.CalledProcessError:
        return False
    return True


def reasons(one: Node) -> list[str]:
    return [note.partition("; ")[2] for (note,) in one.query(REASON)]
