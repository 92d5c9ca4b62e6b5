"""Studies are fetched from real archives by C-GET and WADO-RS, in the syntaxes they have there."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from pacs_ai.config import DicomwebPeer, DimsePeer, Peer
from pacs_ai.errors import ConfigError, PeerUnreachable, StateError
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.retrieve.search import find_studies
from pacs_ai.flow.retrieve.sop_classes import sop_classes_of
from pacs_ai.flow.retrieve.study import retrieve_study
from pacs_ai.flow.source_count import StudyUnknown
from pacs_ai.flow.storage_scp import StorageScp
from pacs_ai.flow.traffic import TrafficMeter, read_traffic
from pacs_ai.store.schema import Instance
from tests.conftest import require
from tests.integration.orthanc_server import OrthancServer
from tests.integration.test_pull import dcmqrscp
from tests.ports import free_port

pytestmark = pytest.mark.integration

FILES = (
    "CT_small.dcm",
    "MR_small_jp2klossless.dcm",
    "JPEG2000.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "MR_small_RLE.dcm",
    "test-SR.dcm",
    "MR_small_bigendian.dcm",
)
"""Many transfer syntaxes and classes."""


def study(folder: Path, names: tuple[str, ...] = FILES) -> tuple[str, list[Path]]:
    """One study of very different objects."""
    folder.mkdir(parents=True)
    uid, paths = generate_uid(), []
    for number, name in enumerate(names):
        one = pydicom.dcmread(str(get_testdata_file(name)))
        one.StudyInstanceUID, one.SeriesInstanceUID = uid, generate_uid()
        one.PatientID, one.PatientName, one.StudyID = "P", "A^B", "1"
        one.StudyDate, one.StudyTime, one.AccessionNumber = "20240102", "101112", "A"
        one.PatientBirthDate, one.PatientSex = "", ""
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        one.save_as(folder / f"{number}.dcm")
        paths.append(folder / f"{number}.dcm")
    return str(uid), paths


def fetch(context: FlowContext, peer: Peer, uid: str) -> int:
    node = with_peers(context, archive=peer)
    return retrieve_study(node, scp(node), "archive", uid)


def with_peers(context: FlowContext, **peers: Peer) -> FlowContext:
    """The node by the name that the archives know."""
    own = context.config.node.model_copy(update={"ae_title": "AI_NODE"})
    changed = {"peers": peers, "node": own}
    return replace(context, config=context.config.model_copy(update=changed))


def scp(node: FlowContext) -> StorageScp:
    meter = TrafficMeter(node.spool, "pull")
    meter.begin()
    return StorageScp(node, Arrivals(), meter)


def stored(context: FlowContext) -> dict[str, str]:
    """SOP Instance UID and transfer syntax of each instance that is here."""
    with context.database.read() as session:
        return {
            one.sop_instance_uid: one.transfer_syntax_uid for one in session.query(Instance).all()
        }


def expected(paths: list[Path]) -> dict[str, str]:
    found = [pydicom.dcmread(path).file_meta for path in paths]
    return {str(one.MediaStorageSOPInstanceUID): str(one.TransferSyntaxUID) for one in found}


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    folder = tmp_path_factory.mktemp("orthanc")
    ports = [free_port() for _ in range(3)]
    with OrthancServer(Path(require("Orthanc")), folder, *ports, route=False) as server:
        yield server


def dimse(port: int, title: str = "ORTHANC", **keys: object) -> DimsePeer:
    section = {"ae_title": title, "host": "127.0.0.1", "port": port, "retrieve": "get", **keys}
    return DimsePeer.model_validate(section)


def web(orthanc: OrthancServer) -> DicomwebPeer:
    return DicomwebPeer(kind="dicomweb", url=f"http://127.0.0.1:{orthanc.http_port}/dicom-web")


@pytest.mark.parametrize("way", ["get", "web"])
def test_orthanc_gives_a_study_as_it_has_it(
    tmp_path: Path, orthanc: OrthancServer, context: FlowContext, way: str
) -> None:
    uid, paths = study(tmp_path / way)
    for path in paths:
        orthanc.upload(path)
    peer = dimse(orthanc.dicom_port) if way == "get" else web(orthanc)
    assert fetch(context, peer, uid) == len(paths)
    assert stored(context) == expected(paths)
    assert fetch(context, peer, uid) == len(paths)  # a second time changes nothing
    assert stored(context) == expected(paths)
    assert read_traffic(context.spool).ended == {"released": 2}


@pytest.mark.parametrize("way", ["get", "web"])
def test_a_study_that_orthanc_does_not_have(
    orthanc: OrthancServer, context: FlowContext, way: str
) -> None:
    peer = dimse(orthanc.dicom_port) if way == "get" else web(orthanc)
    with pytest.raises(StudyUnknown):
        fetch(context, peer, "1.2.3.4.5")
    assert stored(context) == {}


def test_orthanc_tells_the_classes(
    tmp_path: Path, orthanc: OrthancServer, context: FlowContext
) -> None:
    uid, paths = study(tmp_path / "classes")
    for path in paths:
        orthanc.upload(path)
    node = with_peers(context)
    classes = {str(pydicom.dcmread(path).SOPClassUID) for path in paths}
    assert set(sop_classes_of(node, dimse(orthanc.dicom_port), uid)) == classes


def test_dcmqrscp_gives_a_study(tmp_path: Path, context: FlowContext) -> None:
    uid, paths = study(tmp_path / "study", ("CT_small.dcm", "MR_small.dcm", "test-SR.dcm"))
    port = free_port()
    with dcmqrscp(tmp_path / "archive", port, free_port()):
        send = [require("storescu"), "-aec", "ARCHIVE", "127.0.0.1", str(port)]
        subprocess.run([*send, *paths], check=True, capture_output=True)
        peer = dimse(port, "ARCHIVE")
        assert fetch(context, peer, uid) == len(paths)
        assert stored(context).keys() == expected(paths).keys()
        with pytest.raises(StudyUnknown):
            fetch(context, peer, "1.2.3")


@pytest.mark.parametrize("way", ["get", "web"])
def test_orthanc_is_searched(
    tmp_path: Path, orthanc: OrthancServer, context: FlowContext, way: str
) -> None:
    uids = {}
    for year in (1901, 1902, 1903):
        uids[year], paths = study(tmp_path / f"{way}{year}", ("CT_small.dcm", "MR_small.dcm"))
        for path in paths:
            one = pydicom.dcmread(path)
            one.StudyDate = f"{year}0203"
            one.save_as(path)
            orthanc.upload(path)
    peer = dimse(orthanc.dicom_port) if way == "get" else web(orthanc)
    node = with_peers(context, archive=peer)
    where = {"StudyDate": "19010101-19021231", "ModalitiesInStudy": "CT"}
    found = find_studies(node, "archive", where)
    mine = [one for one in found if one.study_instance_uid in uids.values()]
    assert [one.study_instance_uid for one in mine] == [uids[1901], uids[1902]]
    first = mine[0]
    assert (first.study_date, set(first.modalities)) == ("19010203", {"CT", "MR"})
    assert (first.series, first.instances) == (2, 2)
    assert find_studies(node, "archive", {"StudyDate": "18000101"}) == []


def test_a_search_needs_a_condition_that_dicom_knows(context: FlowContext) -> None:
    node = with_peers(context, archive=dimse(free_port()))
    for where in ({}, {"NoKeyword": "1"}, {"StudyDate": " "}):
        with pytest.raises(StateError, match="condition"):
            find_studies(node, "archive", where)
    with pytest.raises(PeerUnreachable):
        find_studies(node, "archive", {"StudyDate": "20240101"})
    with pytest.raises(ConfigError):
        find_studies(node, "other", {"StudyDate": "20240101"})


def test_what_cannot_be_asked(context: FlowContext) -> None:
    with pytest.raises(PeerUnreachable):
        fetch(context, dimse(free_port()), "1.2")
    with pytest.raises(ConfigError, match="no archive"):
        retrieve_study(context, scp(context), "nobody", "1.2")
