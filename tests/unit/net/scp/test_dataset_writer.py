"""Where a data set goes as it arrives."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom.dsutils import create_file_meta, encode_file_meta

from pacs_ai.dicom.part10 import read_meta
from pacs_ai.files import IncomingFile
from pacs_ai.net.implementation import IMPLEMENTATION_VERSION
from pacs_ai.net.scp.dataset_writer import DiscardingWriter, FileWriter, MemoryWriter, file_head
from pacs_ai.uids import IMPLEMENTATION_CLASS_UID
from tests import net_peer as net


def incoming_at(path: Path) -> IncomingFile:
    return IncomingFile(str(path), os.open(path, os.O_WRONLY | os.O_CREAT))


@given(st.lists(st.binary(max_size=50), max_size=700), st.integers(1, 40))
def test_a_file_holds_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], spill_each: int
) -> None:
    path = tmp_path_factory.mktemp("incoming") / "x"
    writer = FileWriter(incoming_at(path), b"head", 10**6)
    for index, piece in enumerate(pieces):
        writer.write(memoryview(piece))
        if index % spill_each == 0:
            writer.spill()
    writer.spill()
    os.close(writer.incoming.fd)
    assert path.read_bytes() == b"head" + b"".join(pieces)
    assert writer.size == sum(map(len, pieces))


def test_a_failed_write_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    fd = os.open(path, os.O_RDONLY)
    writer = FileWriter(IncomingFile(path, fd), b"head", 100)
    for _ in range(3):
        writer.write(memoryview(b"abc"))
        writer.spill()
    os.close(fd)
    assert writer.error is not None
    assert writer.size == 9


def test_other_writers() -> None:
    for writer in (MemoryWriter(100), DiscardingWriter(100)):
        writer.write(memoryview(b"abc"))
        writer.write(memoryview(b"de"))
        writer.spill()
        assert (writer.size, writer.limit) == (5, 100)


@pytest.mark.parametrize("length", [3, 4, 63, 64])
def test_file_heads(tmp_path: Path, length: int) -> None:
    for uid in ("9" * length, "1." + "2" * (length - 2)):
        path = tmp_path / "x.dcm"
        path.write_bytes(file_head(net.CT, uid, net.EXPLICIT, ("CT 1", "NODE")))
        meta = dcmread(path).file_meta
        assert meta.MediaStorageSOPInstanceUID == uid
        assert meta.MediaStorageSOPClassUID == net.CT
        assert meta.TransferSyntaxUID == net.EXPLICIT
        assert path.read_bytes()[:132] == bytes(128) + b"DICM"
        assert meta.FileMetaInformationGroupLength == path.stat().st_size - 144
        same = create_file_meta(
            sop_class_uid=UID(net.CT),
            sop_instance_uid=UID(uid),
            transfer_syntax=UID(net.EXPLICIT),
            implementation_uid=UID(IMPLEMENTATION_CLASS_UID),
            implementation_version=IMPLEMENTATION_VERSION,
        )
        same.SendingApplicationEntityTitle, same.ReceivingApplicationEntityTitle = "CT 1", "NODE"
        assert path.read_bytes()[132:] == encode_file_meta(same)


@pytest.mark.parametrize("title", ["A", "AB", "SIXTEEN CHARS 16", "A, B * C", "K\xd6LN"])
def test_a_file_keeps_the_titles_of_its_association(title: str) -> None:
    head = file_head(net.CT, "1.2.3", net.EXPLICIT, (title, title[::-1]))
    meta = read_meta(head + b"data set", own=True)
    assert meta.titles == (title, title[::-1])
    assert meta.dataset_offset == len(head)


@pytest.mark.parametrize("title", ["", "SEVENTEEN CHARS 17", "A\\B", "A\nB", "A\x00B"])
def test_what_can_be_no_title_is_not_taken_for_one(title: str) -> None:
    head = file_head(net.CT, "1.2.3", net.EXPLICIT, (title, "AI_NODE"))
    assert read_meta(head + b"data set", own=True).titles == ("", "AI_NODE")
