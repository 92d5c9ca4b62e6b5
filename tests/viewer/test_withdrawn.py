"""What a radiologist sees in OHIF of results that were withdrawn: nothing, or why they do not hold.

The pictures stay below test-output/viewer.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest

from pacs_ai.config import Config, Peer
from pacs_ai.config.web_service import Deletion
from pacs_ai.destinations.base import DeliveryAnswer, OutgoingFile
from pacs_ai.destinations.deletion import DeletingDestination
from pacs_ai.destinations.kinds import destination_of
from pacs_ai.domain import ResultKind
from pacs_ai.model.predict import Classifier
from pacs_ai.net.scu.kept_associations import KeptAssociations
from pacs_ai.results.build import BuiltResult
from pacs_ai.results.common.evidence import read_source
from pacs_ai.results.sr.rejection_note import Withdrawn, build_rejection
from pacs_ai.results.sr.withdrawal_report import build_withdrawal_report
from pacs_ai.withdrawal_kinds import RejectionReason
from tests.integration.orthanc_server import OrthancServer
from tests.unit.flow.ready import dimse
from tests.viewer import studies
from tests.viewer.browser import Browser, Shot
from tests.viewer.studies import CONTEXT, Stored

pytestmark = [pytest.mark.integration, pytest.mark.slow]

WHY = "These AI results were withdrawn for reasons of quality."
REPORTS = ("1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.88.33")
DESCRIPTION = "AI results withdrawn"
OURS = "AI "
"""Begins the description of every series of ours."""

LATER = replace(CONTEXT, created_at=CONTEXT.created_at + timedelta(hours=1))


@pytest.fixture(scope="module")
def stored(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stored]:
    """One study for each way to withdraw results."""
    folder = tmp_path_factory.mktemp("withdrawn")
    return {
        way: studies.analysed(
            classifier,
            studies.phantom(folder / f"{way}-images", "DX", seed, lesion=True),
            folder / way,
        )
        for seed, way in enumerate(("delete", "note", "supersede"), start=31)
    }


def withdrawn(study: Stored) -> list[Withdrawn]:
    """Name the results of a study."""
    results = [pydicom.dcmread(path) for path in study.files if path.name.endswith("-1.dcm")]
    return [
        Withdrawn(
            str(one.StudyInstanceUID),
            str(one.SeriesInstanceUID),
            str(one.SOPClassUID),
            str(one.SOPInstanceUID),
        )
        for one in results
    ]


def said(study: Stored) -> tuple[object, ...]:
    header = read_source(study.files[0])
    return RejectionReason.QUALITY, WHY, "archive", header, LATER


@pytest.fixture(scope="module")
def earlier(stored: dict[str, Stored], orthanc: OrthancServer, browser: Browser) -> list[Shot]:
    """The study whose results are deleted later, as it was."""
    for study in stored.values():
        for file in study.files:
            orthanc.upload(file)
    return browser.look({"before": (stored["delete"].uid, (None,))})["before"]


@pytest.fixture(scope="module")
def after(
    earlier: list[Shot],
    stored: dict[str, Stored],
    orthanc: OrthancServer,
    browser: Browser,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, list[Shot]]:
    folder = tmp_path_factory.mktemp("notices")
    study = stored["supersede"]
    reports = [one for one in withdrawn(study) if one.sop_class_uid in REPORTS]
    notices = {
        "note": build_rejection(withdrawn(stored["note"]), *said(stored["note"])),  # type: ignore[arg-type]
        "supersede": build_withdrawal_report(reports, *said(study)),  # type: ignore[arg-type]
    }
    for way, dataset in notices.items():
        BuiltResult(ResultKind.REPORT, 1, dataset).write(folder / f"{way}.dcm")
        orthanc.upload(folder / f"{way}.dcm")
    assert earlier
    delete(stored["delete"], orthanc)
    series = {"delete": (None,), "note": (None,), "supersede": (None, DESCRIPTION)}
    return browser.look({way: (stored[way].uid, series[way]) for way in series})


def delete(study: Stored, orthanc: OrthancServer) -> None:
    """Let the archive obey a note, as a delivery does."""
    rest = Deletion(kind="orthanc", url=f"http://127.0.0.1:{orthanc.http_port}")
    peer: Peer = dimse(orthanc.dicom_port, ae_title="ORTHANC", withdrawal="delete", delete=rest)
    config = Config(peers={"archive": peer})
    named = [
        (one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)
        for one in withdrawn(study)
    ]
    inner = destination_of(config, "archive", KeptAssociations())
    destination = DeletingDestination(config, "archive", inner, {"2.25.1": named})
    [outcome] = destination.deliver([OutgoingFile(Path("note.dcm"), "2.25.1")], lambda _: True)
    assert outcome.answer is DeliveryAnswer.STORED


def ours(shot: Shot) -> Iterator[str]:
    return (text for text in shot.listed if OURS in text)


def test_what_is_deleted_is_not_offered_any_more(
    earlier: list[Shot], after: dict[str, list[Shot]]
) -> None:
    """The first look after the deletion shows the images alone."""
    assert len(list(ours(earlier[0]))) > 1
    [shot] = after["delete"]
    assert list(ours(shot)) == []
    assert shot.lit() > 0.1
    assert (shot.errors, shot.failed, shot.notices) == ((), (), ())


def test_a_note_takes_nothing_from_the_images(after: dict[str, list[Shot]]) -> None:
    [shot] = after["note"]
    assert shot.lit() > 0.1
    assert (shot.errors, shot.failed, shot.notices) == ((), (), ())


def test_a_report_in_the_place_of_the_withdrawn_one_is_offered(
    after: dict[str, list[Shot]],
) -> None:
    first, report = after["supersede"]
    assert len([text for text in ours(first) if DESCRIPTION in text]) == 1
    assert first.lit() > 0.1
    assert "The AI results of this study are withdrawn: Rejected for Quality Reasons" in report.text
    assert WHY in report.text
    assert "%" not in report.text, "the withdrawn report"
