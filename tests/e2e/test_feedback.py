"""A structured report from DCMTK's storescu becomes feedback, also if the node is killed then."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from pacs_ai.feedback_kinds import FeedbackKind
from tests.archive import Archive
from tests.feedback_reports import Group, Report
from tests.node import Node
from tests.samples import sample

pytestmark = pytest.mark.e2e


def feedback(one: Node) -> list[dict[str, Any]]:
    return json.loads(one.command("feedback", "list", "--json").stdout)  # type: ignore[no-any-return]


def finding_of(report: Dataset) -> tuple[tuple[str, str], str]:
    """Code and presence of the first finding of a report that says whether it is there."""
    named = {item.ConceptNameCodeSequence[0].CodeValue: item for item in report.ContentSequence}
    for group in named["126010"].ContentSequence:  # Imaging Measurements (TID 1500)
        coded = {
            item.ConceptNameCodeSequence[0].CodeValue: item.ConceptCodeSequence[0]
            for item in group.ContentSequence
            if item.ValueType == "CODE"
        }
        if "121052" in coded:
            finding = coded["121071"]
            presence = {"121053": "present", "121054": "absent"}[coded["121052"].CodeValue]
            return (str(finding.CodeValue), str(finding.CodingSchemeDesignator)), presence
    raise AssertionError("the report states no finding")


def test_what_a_reading_station_sends_back_is_bound_to_the_report(
    running: Node, peer: Archive, tool: Callable[[str], Path], tmp_path: Path
):
    assert running.send(sample()) == [0]
    running.wait_for(lambda: running.states("delivery") == ["STORED"] * 2)
    [report] = [stored for stored in peer.stored if stored.Modality == "SR"]
    code, presence = finding_of(report)
    other = {"present": "absent", "absent": "present"}[presence]
    source = pydicom.dcmread(sample())
    sent = Report(
        source,
        [str(report.SOPInstanceUID)],
        kind=FeedbackKind.MODIFY,
        groups=[Group(code, presence=other)],
    )
    file = tmp_path / "assessment.dcm"
    sent.dataset().save_as(file, enforce_file_format=True)
    subprocess.run([tool("dsrdump"), file], check=True, capture_output=True)
    command = [tool("storescu"), "-aec", "AI_NODE", "127.0.0.1", str(running.port), file]
    subprocess.run(command, check=True, capture_output=True)
    running.kill()  # the sender has its answer: what it said may not be lost
    running.start()
    running.wait_for(lambda: feedback(running))
    [record] = feedback(running)
    assert record["sop_instance_uid"] == report.SOPInstanceUID
    assert (record["kind"], record["source"], record["document_uid"]) == ("modify", "sr", sent.uid)
    assert list(record["labels"].values()) == [other]
    assert list(record["decisions"].values()).count(presence) == 1
    assert "Reader" not in running.log
    evidence = running.command("evidence", record["study_instance_uid"], "--output", "e.zip")
    assert evidence.returncode == 0, evidence.stderr
