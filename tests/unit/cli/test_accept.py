"""``pacs-ai accept`` on radiographs of made-up anatomy, with the shipped model."""

import base64
import csv
import json
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from pacs_ai.errors import BundleInvalid
from pacs_ai.model import ed25519
from pacs_ai.model.signature import check_signature
from tests.unit.acceptance.made import write_truth, written
from tests.unit.cli.conftest import Answer

PacsAi = Callable[..., Answer]
LIMITS = "max_not_analysable = 0.5\n[overall]\nauc = {auc}\n"


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Six studies by UID, accession number and path, and a row whose files are not there."""
    studies = written(tmp_path / "cases")
    for number, study in enumerate(studies):
        dataset = pydicom.dcmread(study.files[0])
        dataset.AccessionNumber, dataset.PatientSex = f"A{number}", "FM"[number % 2]
        dataset.file_meta.SendingApplicationEntityTitle = "WARD"
        dataset.save_as(study.files[0])
    rows: list[list[object]] = [
        [studies[0].study_uid, "", "", int(studies[0].lesion)],
        [studies[1].study_uid, "", "", int(studies[1].lesion)],
        *(["", f"A{n}", "", int(studies[n].lesion)] for n in (2, 3)),
        *(["", "", f"case{n}", int(studies[n].lesion)] for n in (4, 5)),
        ["1.2.3", "", "", 1],
    ]
    write_truth(tmp_path / "truth.csv", ["study", "accession", "path", "label"], rows)
    (tmp_path / "limits.toml").write_text(LIMITS.format(auc=0.6))
    return tmp_path / "cases"


def test_cases_are_judged_as_the_node_would(cases: Path, tmp_path: Path, pacs_ai: PacsAi) -> None:
    answer = pacs_ai("accept", "demo", cases, "truth.csv", "--limits", "limits.toml", "--json")
    assert answer.code == 0, answer.err
    values = json.loads(answer.out)
    assert values == json.loads((tmp_path / "acceptance" / "acceptance.json").read_text())
    counted = values["studies"]
    assert (counted["all"], counted["analysed"], counted["without_truth"]) == (7, 6, 0)
    assert counted["reasons"] == {"NO_FILES: no file of this study is among the cases": 1}
    assert values["passed"] is True
    with (tmp_path / "acceptance" / "studies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    served = json.loads(pacs_ai("infer", cases, "--model", "demo", "--json").out)
    chances = [float(row["probability lesion"]) for row in rows[:6]]
    assert [round(one, 6) for one in chances] == [
        one["classes"][1]["probability"] for one in served
    ]
    assert {row["sender"] for row in rows[:6]} == {"WARD"}
    assert [row["sex"] for row in rows[:2]] == ["female", "male"]
    page = (tmp_path / "acceptance" / "acceptance.html").read_text()
    assert "Passed: all 2 limits are kept." in page
    assert values["inputs"]["all"] in page


def test_the_same_inputs_give_the_same_bytes(cases: Path, tmp_path: Path, pacs_ai: PacsAi) -> None:
    for name in ("first", "second"):
        assert pacs_ai("accept", "demo", cases, "truth.csv", "--output", name).code == 0
    for file in ("acceptance.html", "acceptance.json", "studies.csv"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_a_limit_that_is_not_kept_ends_with_1(cases: Path, tmp_path: Path, pacs_ai: PacsAi) -> None:
    (tmp_path / "limits.toml").write_text("max_not_analysable = 0.1\n")
    answer = pacs_ai("accept", "demo", cases, "truth.csv", "--limits", "limits.toml")
    assert answer.code == 1
    assert answer.err.startswith("pacs-ai: NOT_ACCEPTED: limits that are not kept: studies that")
    assert "NOT KEPT" in answer.out
    assert "Not passed: 1 of 1" in (tmp_path / "acceptance" / "acceptance.html").read_text()


def test_without_limits_nothing_is_judged(cases: Path, tmp_path: Path, pacs_ai: PacsAi) -> None:
    answer = pacs_ai("accept", "demo", cases, "truth.csv")
    assert answer.code == 0, answer.err
    assert "No limits were given" in (tmp_path / "acceptance" / "acceptance.html").read_text()


def test_the_page_is_signed(cases: Path, tmp_path: Path, pacs_ai: PacsAi) -> None:
    secret = bytes(range(32))
    public = ed25519.public_key(secret)
    raw = b"Ed\0\0B2" + bytes(48) + b"12345678" + secret + public + bytes(32)
    key = tmp_path / "secret.key"
    key.write_text(f"untrusted comment: a key\n{base64.b64encode(raw).decode()}\n")
    answer = pacs_ai("accept", "demo", cases, "truth.csv", "--sign", key)
    assert answer.code == 0, answer.err
    page = tmp_path / "acceptance" / "acceptance.html"
    signature = page.with_name("acceptance.html.minisig").read_bytes()
    trusted = [base64.b64encode(b"Ed12345678" + public).decode()]
    check_signature(page.read_bytes(), signature, trusted)
    with pytest.raises(BundleInvalid):
        check_signature(page.read_bytes().replace(b"6 analysed", b"7 analysed"), signature, trusted)
    raw = raw[:2] + b"Sc" + raw[4:]
    key.write_text(f"untrusted comment: a key\n{base64.b64encode(raw).decode()}\n")
    answer = pacs_ai("accept", "demo", cases, "truth.csv", "--sign", key)
    assert (answer.code, "has a passphrase" in answer.err) == (2, True)


def test_a_truth_of_other_studies_is_refused(cases: Path, tmp_path: Path, pacs_ai: PacsAi) -> None:
    write_truth(tmp_path / "truth.csv", ["study", "label"], [["1.2.3", 1]])
    answer = pacs_ai("accept", "demo", cases, "truth.csv")
    assert answer.code == 4
    assert "names none of the 6 studies" in answer.err
