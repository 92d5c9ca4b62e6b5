"""Evidence of a study: it states what was made of what, and makes the same bytes again."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config.retention import Retention
from pacs_ai.errors import Corrupted, IllegalTransition, StateError
from pacs_ai.flow.audit.seal import Sealer
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.evidence.archive import FOLDER, read_archive, write_archive
from pacs_ai.flow.evidence.check import check_evidence
from pacs_ai.flow.evidence.collect import kept_archive, known_bundles
from pacs_ai.flow.evidence.keep import expire_evidence
from pacs_ai.flow.evidence.remake import Check
from pacs_ai.flow.operate.evidence import save_evidence, verify_evidence
from pacs_ai.flow.operate.studies import delete_study
from pacs_ai.flow.retain import retain
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import studies
from pacs_ai.store.ledger_listing import lines
from pacs_ai.store.schema import Study
from pacs_ai.store.selection import Filter
from pacs_ai.store.spool import Spool
from tests.unit.flow.analysed import RULE, Patient, on_a_node

KEEPS = RULE.model_copy(update={"send_to": ()})


@pytest.fixture
def patient(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset
) -> Patient:
    """One study with its results, which are sent to nobody."""
    assert send(ct).status == 0x0000
    one = on_a_node(context, clock, KEEPS)
    one.route()
    one.analyse()
    return one


@pytest.fixture
def images(patient: Patient, tmp_path: Path) -> Path:
    folder = tmp_path / "exported"
    folder.mkdir()
    shutil.copy(patient.file(), folder / "image.dcm")
    return folder


def checked(patient: Patient, path: Path, sources: Path | None = None) -> list[Check]:
    config = patient.context.config
    return check_evidence(path, config, known_bundles(config), sources)


def written(patient: Patient, path: Path, *, images: bool) -> Path:
    return save_evidence(patient.context, "1", path, images=images)


def stated(path: Path) -> dict:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("evidence.json"))


def test_the_results_are_made_again_byte_for_byte(patient: Patient, tmp_path: Path) -> None:
    path = written(patient, tmp_path / "e.zip", images=True)
    checks = checked(patient, path)
    assert [check for check in checks if not check.ok] == []
    assert {check.name: check.said for check in checks if check.said == "the same bytes"} == {
        "report 1 of demo 1.1.1": "the same bytes",
        "capture 1 of demo 1.1.1": "the same bytes",
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_states_what_was_made_of_what(patient: Patient, tmp_path: Path) -> None:
    found = stated(written(patient, tmp_path / "e.zip", images=False))
    job = patient.job()
    assert found["jobs"][0]["manifest_sha256"] == job.manifest_sha256
    assert [row["digest"] for row in found["results"]] == [r.digest for r in patient.results()]
    assert found["instances"][0]["digest"].startswith("blake3:")
    assert found["instances"][0]["file"] == ""
    assert found["settings"]["node"]["ae_title"]
    assert [event["to_state"] for event in found["events"]][:3] == [
        "RECEIVING",
        "COMPLETE",
        "ROUTED",
    ]
    assert len(found["ledger"]) >= 4
    with zipfile.ZipFile(tmp_path / "e.zip") as archive:
        assert f"models/{job.manifest_sha256}/MODEL_CARD.md" in archive.namelist()


def test_without_images_they_come_from_a_folder(
    patient: Patient, images: Path, tmp_path: Path
) -> None:
    path = written(patient, tmp_path / "e.zip", images=False)
    assert [check.name for check in checked(patient, path) if not check.ok] == ["images"]
    assert all(check.ok for check in checked(patient, path, images))
    file = images / "image.dcm"
    dataset = pydicom.dcmread(file)
    dataset.PatientID = "SOMEBODY"
    dataset.save_as(file)
    (failed,) = (check for check in checked(patient, path, images) if not check.ok)
    assert failed.said == "0 of 1 are there, as they were received"


def test_another_model_is_not_taken_for_the_one_that_did_it(
    patient: Patient, tmp_path: Path
) -> None:
    path = written(patient, tmp_path / "e.zip", images=True)
    checks = check_evidence(path, patient.context.config, [], None)
    assert checks[-1].said.endswith("is not installed")
    assert not checks[-1].ok


@pytest.mark.parametrize("edit", ["byte", "missing", "added", "no zip"])
def test_an_archive_that_was_changed_is_refused(
    edit: str, patient: Patient, tmp_path: Path
) -> None:
    path = written(patient, tmp_path / "e.zip", images=False)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if name.startswith("results/"))
    if edit == "byte":
        members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])
    elif edit == "missing":
        del members[name]
    elif edit == "added":
        members["more"] = b""
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    if edit == "no zip":
        path.write_bytes(b"PK")
    with pytest.raises(Corrupted):
        verify_evidence(patient.context.config, path, None, None)


def test_a_line_of_the_ledger_that_was_changed_is_found(patient: Patient, tmp_path: Path) -> None:
    path = written(patient, tmp_path / "e.zip", images=True)
    content = dict(read_archive(path).content)
    content["ledger"][1]["message"] = content["ledger"][1]["message"].replace("MODALITY", "OTHER")
    content["ledger"][1]["node"] = "other"
    write_archive(path, {**content, "results": [], "instances": []}, {})
    failed = [check for check in checked(patient, path) if not check.ok]
    assert failed[0].name == "ledger"


def test_it_is_kept_when_the_files_go(patient: Patient, images: Path, tmp_path: Path) -> None:
    context = patient.context
    days = timedelta(days=context.config.kept.images_days + 1)
    assert retain(context, context.now() + days) == 1
    assert patient.study().state == "PURGED"
    (kept,) = (context.spool.home / FOLDER).glob("*.zip")
    path = written(patient, tmp_path / "e.zip", images=False)
    assert path.read_bytes() == kept.read_bytes()
    assert all(check.ok for check in checked(patient, path, images))
    with pytest.raises(StateError, match="its images are removed"):
        written(patient, tmp_path / "f.zip", images=True)
    made = datetime.fromtimestamp(kept.stat().st_mtime, UTC)
    assert expire_evidence(context, made + timedelta(days=183)) == 0
    assert expire_evidence(context, made + timedelta(days=185)) == 1
    with pytest.raises(StateError, match="files are removed"):
        written(patient, tmp_path / "g.zip", images=False)


def test_it_is_kept_when_a_person_deletes_the_study(
    patient: Patient, images: Path, tmp_path: Path
) -> None:
    node = patient.context
    command = replace(node, spool=Spool(node.spool.root, ""), owner="operator", user="anna")
    delete_study(command, "1")
    (kept,) = (node.spool.home / FOLDER).glob("*.zip")
    path = save_evidence(command, "1", tmp_path / "e.zip", images=False)
    assert path.read_bytes() == kept.read_bytes()
    assert all(check.ok for check in checked(patient, path, images))
    with node.database.read() as session:
        assert {line.node for line in lines(session, Filter())} == {node.spool.node}


def test_a_refused_deletion_keeps_no_evidence(patient: Patient) -> None:
    with patient.context.write() as transaction:
        studies.reopen(transaction, transaction.get_one(Study, 1), note="reroute")
    with pytest.raises(IllegalTransition):
        delete_study(patient.context, "1")
    assert kept_archive(patient.context.spool.root, 1) is None


def test_none_is_kept_where_that_is_configured(patient: Patient) -> None:
    retention = Retention(evidence_days=0)
    config = patient.context.config.model_copy(update={"retention": retention})
    delete_study(replace(patient.context, config=config), "1")
    assert kept_archive(patient.context.spool.root, 1) is None


def test_a_rerouted_study_has_all_its_jobs(patient: Patient, tmp_path: Path) -> None:
    with patient.context.write() as transaction:
        studies.reopen(transaction, transaction.get_one(Study, 1), note="reroute")
    patient.route()
    path = written(patient, tmp_path / "e.zip", images=True)
    assert len(stated(path)["jobs"]) == 2
    assert all(check.ok for check in checked(patient, path))


def test_that_it_was_written_is_in_the_ledger(patient: Patient, tmp_path: Path) -> None:
    written(patient, tmp_path / "e.zip", images=True)
    Sealer(patient.context, "node").all()
    with patient.context.database.read() as session:
        newest = lines(session, Filter(limit=1))[0]
    assert (newest.event, newest.description) == ("Export", "with images")
