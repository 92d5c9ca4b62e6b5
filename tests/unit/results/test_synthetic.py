"""What is made of synthetic data is synthetic data, and says so (PS3.3 Section C.12.1)."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.domain import DOCUMENTS, ResultKind
from pacs_ai.results.build import BuiltResult, build_refusals, build_results
from pacs_ai.results.common.evidence import read_source
from pacs_ai.results.sr.rejection_note import build_rejection
from pacs_ai.results.sr.withdrawal_report import build_withdrawal_report
from pacs_ai.withdrawal_kinds import RejectionReason
from tests.unit.results.samples import CONTEXT, ct_slice, grey, image, refusal, save, study

OBJECTS = tuple(kind for kind in ResultKind if kind not in DOCUMENTS)


def slices(folder: Path, *stated: str) -> list[Path]:
    return [
        save(ct_slice(number, SyntheticData=said), folder / f"{number}.dcm")
        for number, said in enumerate(stated, start=1)
    ]


def results(paths: list[Path]) -> list[Dataset]:
    seen = [image(path, (0.1, 0.9)) for path in paths]
    made = [*build_results(study(seen), OBJECTS, CONTEXT, grey)]
    made += build_refusals(refusal(seen), OBJECTS, CONTEXT)
    assert {one.kind for one in made} == set(OBJECTS)
    return [one.dataset for one in made if isinstance(one, BuiltResult)]


@pytest.mark.parametrize("stated", [("YES", "YES"), ("YES", ""), ("NO", "YES")])
def test_results_say_so_if_one_of_the_images_does(tmp_path: Path, stated: tuple[str, ...]) -> None:
    assert {made.get("SyntheticData") for made in results(slices(tmp_path, *stated))} == {"YES"}


@pytest.mark.parametrize("stated", [("", ""), ("NO", "NO"), ("", "MAYBE")])
def test_results_of_other_images_say_nothing(tmp_path: Path, stated: tuple[str, ...]) -> None:
    assert not any("SyntheticData" in made for made in results(slices(tmp_path, *stated)))


def test_notices_that_withdraw_results_say_so_too(tmp_path: Path) -> None:
    [path] = slices(tmp_path, "YES")
    said = (RejectionReason.QUALITY, "They do not hold.", "pacs", read_source(path), CONTEXT)
    for notice in (build_withdrawal_report([], *said), build_rejection([], *said)):
        assert notice.SyntheticData == "YES"
