"""Archives that limit the answers to a query are asked for shorter ranges of dates."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from pacs_ai.errors import PeerError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.retrieve.search import find_studies
from tests.conftest import require
from tests.find_source import Answers, answering, match
from tests.integration.orthanc_server import OrthancServer
from tests.ports import free_port
from tests.unit.flow.pulling import Archive

pytestmark = pytest.mark.integration

FIRST = date(2024, 1, 1)
DAYS = [f"{FIRST + timedelta(days=2 * number):%Y%m%d}" for number in range(120)]
MOST = 50
YEARS = {"StudyDate": "20200101-20241231"}
TOO_MANY, CANCELLED = 0xA700, 0xFE00


class Limited:
    """A study every other day; more than `MOST` matches end with a status, after some of them."""

    def __init__(self, days: list[str], sent: int, status: int) -> None:
        self.days, self.sent, self.status = days, sent, status
        self.asked: list[str] = []

    def answer(self, identifier: Dataset) -> Answers:
        asked = str(identifier.StudyDate or "")
        self.asked.append(asked)
        first, dash, last = asked.partition("-")
        last = last or ("9" if dash or not first else first)
        found = [(n, day) for n, day in enumerate(self.days) if first <= day <= last]
        many = len(found) > MOST
        for number, day in found[: self.sent if many else MOST]:
            yield 0xFF00, match(StudyInstanceUID=f"1.2.{number}", StudyDate=day)
        if many and self.status:
            yield self.status, None


def at(context: FlowContext, limited: Limited, where: dict[str, str]) -> list[str]:
    """Search; returns the dates of what was found."""
    with answering(limited.answer) as peer:
        archive = Archive(
            context, kind="dimse", ae_title=peer.ae_title, host=peer.host, port=peer.port
        )
        return [one.study_date for one in find_studies(archive.node, "archive", where)]


@pytest.mark.parametrize(
    ("sent", "status"),
    [(0, TOO_MANY), (MOST, TOO_MANY), (MOST, CANCELLED), (MOST, 0)],
    ids=["refused", "after some", "ended as if cancelled", "not told"],
)
def test_a_range_that_has_too_many_is_halved_until_all_come(
    context: FlowContext, sent: int, status: int
) -> None:
    limited = Limited(DAYS, sent, status)
    assert at(context, limited, YEARS) == DAYS
    assert limited.asked[:2] == ["20200101-20241231", "20200101-20220702"]
    assert len(limited.asked) < 30


def test_few_studies_are_asked_for_once(context: FlowContext) -> None:
    limited = Limited(DAYS[: MOST - 1], MOST, TOO_MANY)
    assert at(context, limited, YEARS) == DAYS[: MOST - 1]
    assert len(limited.asked) == 1


@pytest.mark.parametrize("where", [{"StudyDate": "20240101"}, {"StudyDate": "20240101-"}, {}])
def test_what_cannot_be_halved_is_told_with_what_to_do(
    context: FlowContext, where: dict[str, str]
) -> None:
    limited = Limited(DAYS[:1] * (MOST + 1), MOST, TOO_MANY)
    with pytest.raises(PeerError, match=r"^archive: SOURCE at .*; .* for less at once"):
        at(context, limited, {"Modality": "CT", **where})


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[OrthancServer]:
    ports = [free_port() for _ in range(3)]
    site = {"LimitFindResults": MOST}
    binary = Path(require("Orthanc"))
    with OrthancServer(binary, tmp_path / "o", *ports, route=False, site=site) as server:
        yield server


def as_known(node: FlowContext) -> FlowContext:
    """Let a node have the AE title that Orthanc knows."""
    own = node.config.node.model_copy(update={"ae_title": "AI_NODE"})
    return replace(node, config=node.config.model_copy(update={"node": own}))


def test_orthanc_that_does_not_know_the_node(context: FlowContext, orthanc: OrthancServer) -> None:
    where = {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": orthanc.dicom_port}
    archive = Archive(context, kind="dimse", **where)
    with pytest.raises(PeerError, match="it may not know the AE title PACS_AI of this node"):
        find_studies(archive.node, "archive", YEARS)


@pytest.mark.parametrize("way", ["dimse", "dicomweb"])
def test_orthanc_with_a_limit(
    tmp_path: Path, context: FlowContext, orthanc: OrthancServer, way: str
) -> None:
    for day in DAYS[: MOST + 10]:
        one = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
        one.StudyInstanceUID, one.SeriesInstanceUID = generate_uid(), generate_uid()
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        one.StudyDate = day
        one.save_as(tmp_path / "one.dcm")
        orthanc.upload(tmp_path / "one.dcm")
    if way == "dimse":
        where = {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": orthanc.dicom_port}
        archive = Archive(context, kind="dimse", **where)
        archive.node = as_known(archive.node)
    else:
        archive = Archive(context, f"http://127.0.0.1:{orthanc.http_port}/dicom-web")
    found = find_studies(archive.node, "archive", YEARS)
    assert [one.study_date for one in found] == DAYS[: MOST + 10]
