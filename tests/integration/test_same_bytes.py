"""The same images give the same files: at another time, elsewhere, named and ordered otherwise."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from pacs_ai.domain import ResultKind
from pacs_ai.phantom import write_phantom_study

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A CT series, two radiographs of one study, an image without any date, and a plan."""
    folder = tmp_path_factory.mktemp("sources")
    write_phantom_study(folder / "ct", "CT", seed=3, lesion=True, slices=4)
    write_phantom_study(folder / "cr", "CR", seed=4, lesion=True)
    [film] = (folder / "cr").glob("*.dcm")
    again = pydicom.dcmread(film)
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    again.save_as(folder / "cr" / "again.dcm")
    undated = pydicom.dcmread(film)
    for element in [one for one in undated if one.VR in ("DA", "TM", "DT")]:
        del undated[element.tag]
    undated.StudyInstanceUID, undated.SeriesInstanceUID = "1.2.3.5", "1.2.3.5.1"
    undated.SOPInstanceUID = undated.file_meta.MediaStorageSOPInstanceUID = "1.2.3.5.2"
    undated.save_as(folder / "undated.dcm")
    shutil.copy(str(get_testdata_file("rtplan.dcm")), folder)
    return sorted(folder.rglob("*.dcm"))


def results(folder: Path, sources: Sequence[Path], seed: str) -> dict[str, bytes]:
    """Copy the sources in this order under names of their own, and analyse them."""
    paths = []
    for number, path in enumerate(sources):
        copy = folder / f"{number:02}-{seed}" / "image"
        copy.parent.mkdir(parents=True)
        paths.append(Path(shutil.copyfile(path, copy)))
    wanted = [word for kind in ResultKind for word in ("--results", str(kind))]
    command = [sys.executable, "-m", "pacs_ai", "infer", *map(str, paths), "--model", "demo"]
    subprocess.run(
        [*command, "--refusals", "--out", "out", *wanted],
        cwd=folder,
        check=True,
        capture_output=True,
        env={
            **os.environ,
            "PYTHONHASHSEED": seed,
            "XDG_STATE_HOME": str(folder / "state"),
            "TZ": {"1": "UTC", "2": "Asia/Kolkata"}[seed],
        },
    )
    out = folder / "out"
    return {str(one.relative_to(out)): one.read_bytes() for one in out.rglob("*") if one.is_file()}


def test_twice_the_same(sources: list[Path], tmp_path: Path) -> None:
    first = results(tmp_path / "here", sources, "1")
    second = results(tmp_path / "elsewhere", sources[::-1], "2")
    assert {Path(name).name.partition("-")[0] for name in first} == set(ResultKind)
    assert len({Path(name).parent for name in first}) == 4
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []
