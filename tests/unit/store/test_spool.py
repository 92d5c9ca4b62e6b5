"""The order in which an instance becomes durable: flushed, named, its folder flushed."""

import errno
import os
import stat
from pathlib import Path

import pytest

from pacs_ai.errors import NoSpace, StorageError
from pacs_ai.files import IncomingFile
from pacs_ai.store.spool import Spool
from tests.spool_files import result_paths


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path, "node")
    made.open()
    return made


@pytest.fixture
def written(spool: Spool) -> IncomingFile:
    incoming = spool.new_incoming()
    os.write(incoming.fd, b"bytes")
    return incoming


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to the disk, in order; flushes by the kind of what is flushed."""
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def note_fsync(fd: int) -> None:
        fsync(fd)
        steps.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")

    def note_rename(source: str, target: str) -> None:
        steps.append("name")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", note_rename)
    return steps


def test_kept_at_once(spool: Spool, written: IncomingFile, done: list[str]) -> None:
    assert spool.path_of(spool.keep(written)).read_bytes() == b"bytes"
    assert done == ["file", "name", "folder"]


def test_flushed_beside_a_block_and_then_kept(
    spool: Spool, written: IncomingFile, done: list[str]
) -> None:
    with spool.flushing(written):
        pass
    assert done == ["file"]
    assert spool.path_of(spool.keep(written, flushed=True)).read_bytes() == b"bytes"
    assert done == ["file", "name", "folder"]


def test_without_durability_nothing_is_flushed(tmp_path: Path, done: list[str]) -> None:
    spool = Spool(tmp_path, "node", durable=False)
    spool.open()
    incoming = spool.new_incoming()
    with spool.flushing(incoming):
        pass
    spool.keep(incoming, flushed=True)
    assert done == ["name"]


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EIO, StorageError), (errno.ENOSPC, NoSpace)], ids=["EIO", "ENOSPC"]
)
def test_a_flush_that_fails(
    number: int,
    kind: type[StorageError],
    spool: Spool,
    written: IncomingFile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_fd: int) -> None:
        raise OSError(number, "injected")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(kind) as caught, spool.flushing(written):
        pass
    assert type(caught.value) is kind
    spool.discard(written)
    assert spool.clear_parts() == 0


def test_results_of_a_group_lie_in_one_folder_and_are_flushed_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []

    def note(fd: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{fd}").resolve().name)

    spool = Spool(tmp_path / "spool", "node")
    spool.open()
    monkeypatch.setattr(os, "fsync", note)
    paths = [spool.write_result([b"a", b"b"], ".dcm", group="c7") for _ in range(3)]
    assert flushed == []
    spool.flush(paths)
    assert flushed == [*(Path(path).name for path in paths), "c7"]
    assert {spool.path_of(path).read_bytes() for path in paths} == {b"ab"}
    assert result_paths(spool) == set(paths)
    single = spool.write_result([b"c"], ".dcm")
    assert flushed[-1] == Path(single).parent.name
