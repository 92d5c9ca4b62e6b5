"""The archive of an evidence, byte by byte."""

from pathlib import Path

import pytest

from pacs_ai.errors import Corrupted
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
