"""Files that a person names, put together to studies."""

import shutil
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from pacs_ai.dicom.study_files import find_files, group_studies
from pacs_ai.errors import ConfigError, NotDicom


def sample(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    shutil.copy(sample("MR_small.dcm"), tmp_path / "b" / "2")
    shutil.copy(sample("CT_small.dcm"), tmp_path / "b" / "1")
    shutil.copy(sample("CT_small.dcm"), tmp_path / "c")
    shutil.copy(sample("CT_small.dcm"), tmp_path / "DICOMDIR")
    (tmp_path / "a.txt").write_text("text")
    return tmp_path


def test_dicom_below_a_folder_each_once(folder: Path) -> None:
    found = find_files([folder, folder / "c"])
    assert found.files == (folder / "b" / "1", folder / "b" / "2", folder / "c")
    assert found.others == 1


def test_groups_in_the_order_of_their_files(folder: Path) -> None:
    bad = folder / "d"
    bad.write_bytes(b"\0" * 128 + b"DICM")
    (ct, mr), unreadable = group_studies(find_files([folder]).files)
    assert unreadable == (bad,), "nobody knows whose it is"
    assert (ct.modality, ct.files) == ("CT", (folder / "b" / "1",))
    assert (mr.modality, mr.files) == ("MR", (folder / "b" / "2",))


def test_what_cannot_be_read_belongs_to_the_only_study(folder: Path) -> None:
    (folder / "b" / "2").write_bytes(b"\0" * 128 + b"DICM")
    [ct], unreadable = group_studies(find_files([folder]).files)
    assert ct.files == (folder / "b" / "1", folder / "b" / "2")
    assert unreadable == ()


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        find_files([tmp_path / "absent"])
    with pytest.raises(NotDicom):
        find_files([tmp_path])
    (tmp_path / "x.dcm").write_bytes(b"\0" * 128 + b"DICM")
    with pytest.raises(NotDicom):
        group_studies(find_files([tmp_path]).files)


def test_what_cannot_be_read_belongs_to_the_study_it_lies_beside(folder: Path) -> None:
    (folder / "d").mkdir()
    (folder / "b" / "2").rename(folder / "d" / "2")
    bad = [folder / name / "bad.dcm" for name in ("b", "d")]
    for path in bad:
        path.write_bytes(b"\0" * 128 + b"DICM")
    (ct, mr), unreadable = group_studies(find_files([folder / "b", folder / "d"]).files)
    assert ct.files == (folder / "b" / "1", bad[0])
    assert mr.files == (folder / "d" / "2", bad[1])
    assert unreadable == ()
