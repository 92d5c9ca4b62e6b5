"""A folder as a destination: what a program that watches it gets to see."""

import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacs_ai.destinations.base import DeliveryAnswer, OutgoingFile
from pacs_ai.destinations.folder import FolderDestination
from pacs_ai.errors import FolderUnavailable

CONTENT = b"a result" * 1000


@pytest.fixture
def file(tmp_path: Path) -> OutgoingFile:
    path = tmp_path / "in-the-spool.dcm"
    path.write_bytes(CONTENT)
    return OutgoingFile(path, "2.25.1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "watched"
    path.mkdir()
    return path


def yes(_: OutgoingFile) -> bool:
    return True


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_appears_under_its_uid(file: OutgoingFile, folder: Path) -> None:
    (outcome,) = FolderDestination(folder).deliver([file], yes)
    assert (outcome.answer, outcome.error) == (DeliveryAnswer.STORED, None)
    assert names(folder) == ["2.25.1.dcm"]
    assert (folder / "2.25.1.dcm").read_bytes() == CONTENT


def test_nobody_but_owner_and_group_may_read_it(file: OutgoingFile, folder: Path) -> None:
    FolderDestination(folder).deliver([file], yes)
    assert not (folder / "2.25.1.dcm").stat().st_mode & stat.S_IRWXO


def test_a_document_keeps_its_kind(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "message.hl7"
    path.write_bytes(b"MSH|")
    FolderDestination(folder).deliver([OutgoingFile(path, "2.25.2")], yes)
    assert names(folder) == ["2.25.2.hl7"]


def test_a_second_try_replaces_the_file(file: OutgoingFile, folder: Path) -> None:
    (folder / "2.25.1.dcm").write_bytes(b"half of it")
    FolderDestination(folder).deliver([file], yes)
    assert (folder / "2.25.1.dcm").read_bytes() == CONTENT


def test_what_may_not_leave_does_not(file: OutgoingFile, folder: Path) -> None:
    other = OutgoingFile(file.path, "2.25.2")
    outcomes = FolderDestination(folder).deliver([file, other], lambda one: one is other)
    assert [one.answer for one in outcomes] == [DeliveryAnswer.WITHHELD, DeliveryAnswer.STORED]
    assert names(folder) == ["2.25.2.dcm"]


def test_a_folder_that_is_not_there_is_not_made(file: OutgoingFile, tmp_path: Path) -> None:
    destination = FolderDestination(tmp_path / "unmounted")
    (outcome,) = destination.deliver([file], yes)
    assert outcome.answer is DeliveryAnswer.NOT_NOW
    assert isinstance(outcome.error, FolderUnavailable)
    assert not (tmp_path / "unmounted").exists()
    with pytest.raises(FolderUnavailable, match="is not there"):
        destination.probe()


@contextmanager
def file_size_limited_to(size: int) -> Iterator[None]:
    """Let every write beyond a size fail, as on a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing_behind(file: OutgoingFile, folder: Path) -> None:
    with file_size_limited_to(100):
        (outcome,) = FolderDestination(folder).deliver([file], yes)
    assert outcome.answer is DeliveryAnswer.NOT_NOW
    assert isinstance(outcome.error, FolderUnavailable)
    assert names(folder) == []


def test_a_result_that_cannot_be_read_is_no_fault_of_the_folder(
    tmp_path: Path, folder: Path
) -> None:
    (outcome,) = FolderDestination(folder).deliver([OutgoingFile(tmp_path / "gone.dcm", "1")], yes)
    assert outcome.answer is DeliveryAnswer.NOT_NOW
    assert outcome.error is not None
    assert outcome.error.code == "STORAGE"
    assert names(folder) == []


def test_a_folder_that_is_there_answers_a_probe(folder: Path) -> None:
    FolderDestination(folder).probe()


def test_a_folder_that_cannot_be_looked_at_is_out_of_reach(tmp_path: Path) -> None:
    too_long = tmp_path / ("x" * 300)
    with pytest.raises(FolderUnavailable, match="cannot be reached: File name too long"):
        FolderDestination(too_long).probe()
