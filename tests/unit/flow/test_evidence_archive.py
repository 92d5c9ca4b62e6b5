"""The archive of an evidence, byte by byte."""

import tracemalloc
from pathlib import Path

import pytest

from pacs_ai.errors import Corrupted, StorageError
from pacs_ai.flow.evidence.archive import read_archive, write_archive

CONTENT = {"study": "1.2.3", "decision": "positive"}
MEMBER = b"a result that has to be whole" * 3


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_changed_byte_is_found_or_changes_nothing(mask: int, tmp_path: Path) -> None:
    path = tmp_path / "e.zip"
    write_archive(path, CONTENT, {"results/1.dcm": MEMBER})
    whole = path.read_bytes()
    found = 0
    for place in range(len(whole)):
        edited = bytearray(whole)
        edited[place] ^= mask
        path.write_bytes(edited)
        try:
            archive = read_archive(path)
            assert (archive.content, archive.read("results/1.dcm")) == (CONTENT, MEMBER)
        except Corrupted:
            found += 1
    assert found > len(whole) / 2


def test_a_large_member_is_written_piece_by_piece(tmp_path: Path) -> None:
    size = 24 << 20
    source = tmp_path / "large.dcm"
    with source.open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    try:
        write_archive(tmp_path / "e.zip", CONTENT, {"images/1.dcm": source})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size / 4
    assert len(read_archive(tmp_path / "e.zip").read("images/1.dcm")) == size


def test_a_missing_file_leaves_no_archive(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"gone\.dcm cannot be read"):
        write_archive(tmp_path / "e.zip", CONTENT, {"images/1.dcm": tmp_path / "gone.dcm"})
    assert list(tmp_path.iterdir()) == []
