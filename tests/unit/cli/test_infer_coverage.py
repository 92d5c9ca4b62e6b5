"""`pacs-ai infer` says what was not looked at, and what could not be made."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacs_ai.domain import ResultKind
from pacs_ai.phantom import write_phantom_study
from tests.broken import INCOMPLETE, SHARES, broken_study
from tests.unit.cli.conftest import Answer
from tests.unit.results.failing_kinds import fail_to_make

PacsAi = Callable[..., Answer]


def record(answer: Answer) -> dict[str, Any]:
    [found] = json.loads(answer.out)
    return dict(found)


@pytest.mark.parametrize("frames", [False, True], ids=["images", "frames"])
@pytest.mark.parametrize("share", SHARES)
def test_a_share_of_images_that_cannot_be_read(
    share: tuple[int, int], frames: bool, tmp_path: Path, pacs_ai: PacsAi
) -> None:
    lost, total = share
    broken_study(tmp_path / "study", lost, total, frames=frames)
    answer = pacs_ai("infer", "study", "--json")
    assert answer.code == 0, answer.err
    found = record(answer)
    assert (found["images"], found["images_total"]) == (total - lost, total)
    assert found["left_out"] == ({"unreadable": lost} if lost else {})
    assert found["incomplete"] is (share in INCOMPLETE)
    [lesion] = [one for one in found["classes"] if one["class"] == "lesion"]
    assert lesion["decision"] == ("undetermined" if share in INCOMPLETE else "absent")
    assert ("incompletely analysed" in found["reason"]) is (share in INCOMPLETE)
    table = pacs_ai("infer", "study").out
    assert f"{total - lost} of {total}" in table


def test_a_file_without_a_header_is_an_image_of_the_only_study(
    tmp_path: Path, pacs_ai: PacsAi
) -> None:
    files = broken_study(tmp_path / "study", 0, 4, frames=False)
    files[0].write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 200)
    found = record(pacs_ai("infer", "study", "--json"))
    assert (found["images"], found["images_total"], found["incomplete"]) == (3, 4, True)


def test_of_several_studies_nobody_knows_whose_it_is(tmp_path: Path, pacs_ai: PacsAi) -> None:
    broken_study(tmp_path / "in" / "one", 0, 2, frames=False)
    write_phantom_study(tmp_path / "in" / "two", "CR", 1, lesion=False, slices=1)
    (tmp_path / "in" / "x.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 200)
    answer = pacs_ai("infer", "in", "--json")
    assert [one["images_total"] for one in json.loads(answer.out)] == [2, 1]
    assert "files are no DICOM instances: left out" in answer.err


def test_a_localizer_that_does_not_say_so(shared: Path, tmp_path: Path, pacs_ai: PacsAi) -> None:
    shutil.copytree(shared / "cases" / "node" / "localizer_unmarked", tmp_path / "study")
    found = record(pacs_ai("infer", "study", "--json"))
    assert (found["images"], found["images_total"]) == (6, 7)
    assert found["left_out"] == {"in another orientation": 1}


def test_a_kind_that_cannot_be_made_costs_only_itself(
    tmp_path: Path, pacs_ai: PacsAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_phantom_study(tmp_path / "study", "MR", 1, lesion=True, slices=12)
    fail_to_make(monkeypatch, ResultKind.REGION)
    wanted = ("--results", "report", "--results", "region", "--results", "pdf")
    answer = pacs_ai("infer", "study", "--out", "out", "--json", *wanted)
    assert answer.code == 4
    assert answer.err.startswith(
        "pacs-ai: INVALID_RESULT: results of 1 of 1 studies cannot be made"
    )
    found = record(answer)
    assert [Path(name).name for name in found["results"]] == ["report-1.dcm", "pdf-1.dcm"]
    assert found["failed"] == {"region": "INVALID_RESULT: the region cannot be built (KeyError)"}
    assert "region not made" in found["reason"]
    assert {path.name for path in (tmp_path / "out").rglob("*.dcm")} == {
        "report-1.dcm",
        "pdf-1.dcm",
    }
