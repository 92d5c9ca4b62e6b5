"""De-identified exports of studies of a node."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.errors import ConfigError, DataError, StateError, StorageError
from pacs_ai.feedback_kinds import FeedbackKind
from pacs_ai.flow.audit.seal import Sealer
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.export.labels import read_labels
from pacs_ai.flow.operate import export as operate
from pacs_ai.flow.operate.export import ExportOptions, export_secret, export_studies
from pacs_ai.flow.operate.feedback import add_feedback
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import studies
from pacs_ai.store.ledger_listing import lines
from pacs_ai.store.schema import Study
from pacs_ai.store.selection import Filter
from tests.unit.flow.analysed import RULE, on_a_node

PATIENTS = ("ZQ1XK", "ZQ1XK", "ZQ2XK")
ALL = ExportOptions(studies=("1", "2", "3"))


@pytest.fixture
def node(context: FlowContext, send: Callable[..., StoreAnswer], ct: Dataset) -> FlowContext:
    """Three studies of two patients, the first of two images."""
    for number, patient in enumerate(PATIENTS, start=1):
        ct.PatientID, ct.PatientName = patient, f"{patient}^NAME"
        ct.StudyInstanceUID, ct.SeriesInstanceUID = f"1.2.{number}", f"1.2.{number}.1"
        for image in range(2 if number == 1 else 1):
            ct.SOPInstanceUID = f"1.2.{number}.1.{image + 1}"
            assert send(ct).status == 0
        with context.write() as transaction:
            studies.close(transaction, number, 1, reason="quiet")
    return replace(context, user="anna")


def copies(folder: Path) -> list[Dataset]:
    return [pydicom.dcmread(path) for path in sorted(folder.rglob("*.dcm"))]


def test_it_holds_copies_and_no_identifier(node: FlowContext, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = export_studies(node, out, ALL)
    assert (made.studies, made.patients, made.images, made.left_out) == (3, 2, 4, [])
    found = copies(out)
    assert len({one.SOPInstanceUID for one in found}) == 4
    assert len({one.StudyInstanceUID for one in found}) == 3
    assert len({one.PatientID for one in found}) == 2
    for path in out.rglob("*"):
        assert not any(name in str(path) for name in PATIENTS)
        if path.is_file():
            data = path.read_bytes()
            assert not any(name.encode() in data for name in (*PATIENTS, "1.2.1.1", "CompressedS"))
    assert json.loads((out / "export.json").read_text())["edition"] == "2026c"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_the_ledger_says_who_exported_how_many(node: FlowContext, tmp_path: Path) -> None:
    export_studies(node, tmp_path / "out", ALL)
    Sealer(node, "node").all()
    with node.database.read() as session:
        found = [one for one in lines(session, Filter(study=1)) if "export WRITTEN" in one.message]
    assert len(found) == 1
    for said in ("110106", "anna", "2 images, retained: nothing"):
        assert said in found[0].message


def test_what_is_not_exported_is_listed(
    node: FlowContext, send: Callable[..., StoreAnswer], ct: Dataset, tmp_path: Path
) -> None:
    ct.StudyInstanceUID, ct.SOPInstanceUID = "1.2.4", "1.2.4.1"
    send(ct)
    ct.StudyInstanceUID, ct.SOPInstanceUID, ct.BurnedInAnnotation = "1.2.5", "1.2.5.1", "YES"
    send(ct)
    with node.write() as transaction:
        studies.close(transaction, 5, 1, reason="quiet")
    options = ExportOptions(studies=("1.2.1", "4", "5"))
    made = export_studies(node, tmp_path / "out", options)
    said = [(one.study, one.instance, one.reason) for one in made.left_out]
    assert said[0] == (4, None, "is RECEIVING")
    assert said[1][0] == 5
    assert "text is burned in" in said[1][2]
    assert made.studies == 1
    with pytest.raises(StateError, match="nothing to export: is RECEIVING"):
        export_studies(node, tmp_path / "none", ExportOptions(studies=("4",)))
    assert not [path for path in tmp_path.iterdir() if "none" in path.name]


def test_all_since(node: FlowContext, tmp_path: Path) -> None:
    since = node.now() - timedelta(hours=1)
    made = export_studies(node, tmp_path / "out", ExportOptions(studies=("2",), since=since))
    assert made.studies == 3


def test_where_it_may_not_be(node: FlowContext, tmp_path: Path) -> None:
    for place in (node.spool.root / "out", node.spool.root, node.spool.root.parent):
        with pytest.raises(ConfigError, match="spool"):
            export_studies(node, place, ALL)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(StateError, match="there already"):
        export_studies(node, tmp_path / "full", ALL)
    (tmp_path / "empty").mkdir()
    assert export_studies(node, tmp_path / "empty", ALL).images == 4
    with pytest.raises(StateError, match="no study 77"):
        export_studies(node, tmp_path / "out", ExportOptions(studies=("77",)))


def test_an_interrupted_export_goes_on(
    node: FlowContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[int] = []
    whole = operate.copy_study

    def until_the_disk_is_full(context: FlowContext, study: Study, *rest: object, **more: object):
        if study.id in copied or len(copied) == 2:
            raise StorageError("full")
        copied.append(study.id)
        return whole(context, study, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(operate, "copy_study", until_the_disk_is_full)
    out = tmp_path / "out"
    with pytest.raises(StorageError, match="full"):
        export_studies(node, out, ALL)
    assert not out.exists()
    first = {one.StudyInstanceUID for one in copies(tmp_path / ".out.partial")}
    with pytest.raises(StateError, match="other settings"):
        export_studies(node, out, replace(ALL, with_burned_in=True))
    copied.clear()
    made = export_studies(node, out, replace(ALL, studies=("1", "3")))
    assert copied == [3]
    assert (made.studies, made.images) == (2, 3)
    found = {one.StudyInstanceUID for one in copies(out)}
    assert len(found) == 2
    assert len(found & first) == 1
    assert not list(out.glob(".*"))


def test_a_secret_gives_the_same_names_again(node: FlowContext, tmp_path: Path) -> None:
    secret = export_secret(tmp_path / "secret", make=b"s" * 32)
    assert export_secret(tmp_path / "secret", make=b"t" * 32) == secret
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    names = []
    for name, options in (
        ("a", replace(ALL, secret=secret)),
        ("c", ALL),
        ("b", replace(ALL, secret=secret)),
    ):
        export_studies(node, tmp_path / name, options)
        names.append({one.PatientID for one in copies(tmp_path / name)})
    assert names[0] == names[2]
    assert not names[0] & names[1]
    (tmp_path / "secret").write_text("x")
    with pytest.raises(ConfigError, match="secret"):
        export_secret(tmp_path / "secret", make=b"s" * 32)


def test_labels_go_with_the_copies(node: FlowContext, tmp_path: Path) -> None:
    table = tmp_path / "given.csv"
    table.write_text("study,lesion,rib\n1,1,0\n1.2.3,0,-1\n")
    made = export_studies(node, tmp_path / "out", replace(ALL, labels=read_labels(table)))
    assert made.labelled == 2
    written = (tmp_path / "out" / "labels.csv").read_text().splitlines()
    assert written[0] == "study,patient,label,lesion,rib"
    assert [row.split(",", 2)[2] for row in written[1:]] == ["lesion,1,0", ",0,-1"]
    assert 'label_columns = ["lesion", "rib"]' in (tmp_path / "out" / "data.toml").read_text()
    for text in ("study,lesion\n1,yes\n", "study,label\n1,a\n1,b\n", "study\n1\n", "patient\n1\n"):
        table.write_text(text)
        with pytest.raises(DataError):
            read_labels(table)


def test_labels_come_from_feedback(
    context: FlowContext,
    clock: ManualClock,
    send: Callable[..., StoreAnswer],
    ct: Dataset,
    tmp_path: Path,
) -> None:
    assert send(ct).status == 0
    patient = on_a_node(context, clock, RULE.model_copy(update={"send_to": ()}))
    patient.route()
    patient.analyse()
    add_feedback(patient.context, patient.job().id, FeedbackKind.ACCEPT, {}, "cli")
    made = export_studies(patient.context, tmp_path / "out", ExportOptions(studies=("1",)))
    assert made.labelled == 1
    text = (tmp_path / "out" / "labels.csv").read_text()
    (row,) = csv.DictReader(text.splitlines())
    (copy,) = copies(tmp_path / "out")
    assert (row["study"], row["patient"]) == (copy.StudyInstanceUID, copy.PatientID)
    assert set(list(row.values())[3:]) <= {"0", "1"}
