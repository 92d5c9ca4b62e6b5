"""What a capture or map shows is read back from the object."""

from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.domain import ClassSpec, Code, ResultKind
from pacs_ai.errors import StorageError
from pacs_ai.results.build import build_results
from pacs_ai.results.images.read_picture import ShownFrame, ShownHeat, read_heat
from tests.unit.results.conftest import Images
from tests.unit.results.samples import CONTEXT, TWO_CLASSES, grey, model, study

LONG = "A sign with a name that is longer than a description may be in a map"


def written(
    images: Images, kind: ResultKind, folder: Path, title: str = "Lesion"
) -> list[ShownHeat | None]:
    lesion = ClassSpec(title, Code("X", "99PACSAI", title[:64]), 0.5, positive=True)
    prediction = study(images([0.9, 0.2, 0.8]), replace(model((TWO_CLASSES[0], lesion))))
    found = []
    for number, result in enumerate(build_results(prediction, [kind], CONTEXT, grey)):
        path = folder / f"{kind}-{number}.dcm"
        result.write(path)
        found.append(read_heat(path))
    return found


def test_a_capture_names_its_class_and_image(images: Images, tmp_path: Path) -> None:
    for title in ("Lesion", LONG):
        found = written(images, ResultKind.CAPTURE, tmp_path, title)
        assert found[0] == ShownHeat(title, False, (ShownFrame(1, "1.2.3.4.1", 1),))
        assert len(found) == 2


def test_each_frame_of_a_map_names_its_image(images: Images, tmp_path: Path) -> None:
    [found] = written(images, ResultKind.MAP, tmp_path)
    assert found is not None
    assert (found.title, found.cut) == ("Lesion", False)
    shown = {one.sop_instance_uid: one.frame for one in found.frames}
    assert shown
    assert all(shown[f"1.2.3.4.{n}"] == 4 - n for n in (1, 2, 3) if f"1.2.3.4.{n}" in shown)
    [cut] = written(images, ResultKind.MAP, tmp_path, LONG)
    assert cut is not None
    assert cut.cut
    assert LONG.startswith(cut.title)


def test_other_results_have_no_heat_map(images: Images, tmp_path: Path) -> None:
    assert written(images, ResultKind.REPORT, tmp_path) == [None]
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"no DICOM file")
    assert read_heat(broken) is None
    with pytest.raises(StorageError):
        read_heat(tmp_path / "missing.dcm")
