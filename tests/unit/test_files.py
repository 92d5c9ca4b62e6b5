import errno
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pacs_ai import files
from pacs_ai.errors import NoSpace, StorageError
from pacs_ai.files import PRIVATE, atomic_file, atomic_write

KILLED = """
import os, signal, sys
from pathlib import Path
from pacs_ai.files import atomic_file
if sys.argv[2] == "rename":
    os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with atomic_file(Path(sys.argv[1])) as file:
    file.write(b"second")
    if sys.argv[2] == "block":
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "file.txt"


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


@pytest.mark.parametrize("durable", [True, False])
def test_text_and_bytes_replace_what_was_there(path: Path, *, durable: bool) -> None:
    atomic_write(path, "Ä\n", durable=durable)
    assert path.read_bytes() == "Ä\n".encode()
    atomic_write(path, b"\x00\xff", durable=durable)
    assert path.read_bytes() == b"\x00\xff"
    assert names(path) == ["file.txt"]


def test_a_library_may_write_and_read_at_any_place(path: Path) -> None:
    with atomic_file(path) as file:
        file.write(b"____ tail")
        file.seek(0)
        file.write(b"head")
        file.seek(0)
        assert file.read() == b"head tail"
        assert not path.exists()
    assert path.read_bytes() == b"head tail"


def test_a_file_stays_where_it_must_not_be_replaced(path: Path) -> None:
    atomic_write(path, "first", replace=False)
    atomic_write(path, "second", replace=False)
    assert path.read_text() == "first"
    assert names(path) == ["file.txt"]


def write_own_id(path: Path) -> None:
    atomic_write(path, str(os.getpid()) * 1000, replace=False)


def test_of_processes_that_write_at_the_same_time_one_wins(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_own_id, args=(path,)) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_text() in {str(writer.pid) * 1000 for writer in writers}
    assert names(path) == ["file.txt"]


def test_permissions(path: Path) -> None:
    before = os.umask(0o022)
    try:
        atomic_write(path, "all")
        assert path.stat().st_mode & 0o777 == 0o644
        atomic_write(path, "one", mode=PRIVATE)
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_an_error_in_the_block_changes_nothing(path: Path) -> None:
    atomic_write(path, "first")
    with pytest.raises(TypeError), atomic_file(path) as file:
        file.write(b"second" + 2)
    assert path.read_text() == "first"
    assert names(path) == ["file.txt"]


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, NoSpace), (errno.EDQUOT, NoSpace), (errno.EIO, StorageError)],
)
def test_a_step_that_fails_changes_nothing(
    call: str, number: int, kind: type[StorageError], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, "injected")

    atomic_write(path, "first")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        patch.setattr(Path, "replace", fail)
        with pytest.raises(kind, match=r"file\.txt cannot be written: injected") as caught:
            atomic_write(path, "second")
    assert type(caught.value) is kind
    assert path.read_text() == "first"
    assert names(path) == ["file.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_full_when_buffers_are_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes from the system: the draft is a link to a device without room."""
    real = os.open

    def opened(name: os.PathLike[str], flags: int, *rest: int) -> int:
        if str(name).endswith(".draft"):
            Path(name).symlink_to("/dev/full")
            flags &= ~os.O_EXCL
        return real(name, flags, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", opened)
        with pytest.raises(NoSpace, match="cannot be written"):
            atomic_write(path, "text")
    assert names(path) == []


def test_the_folder_must_be_there(path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written: No such file"):
        atomic_write(path.parent / "absent" / "file", "text")


@pytest.mark.parametrize("where", ["block", "rename"])
def test_a_killed_process_changes_nothing_and_what_it_left_goes(where: str, path: Path) -> None:
    atomic_write(path, "first")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), where], check=False)
    assert done.returncode < 0
    assert path.read_text() == "first"
    left = [path.with_name(name) for name in names(path) if name != path.name]
    assert len(left) == 1
    files._remove_abandoned.cache_clear()
    atomic_write(path, "third")
    assert left[0].exists(), "another process may still be writing it"
    long_ago = time.time() - 2 * 86_400
    os.utime(left[0], (long_ago, long_ago))
    files._remove_abandoned.cache_clear()
    atomic_write(path, "fourth")
    assert names(path) == ["file.txt"]


def test_other_hidden_files_stay(path: Path) -> None:
    others = [path.with_name(name) for name in (".file.txt.draft", ".draft", "file.draft")]
    for other in others:
        other.touch()
        os.utime(other, (0, 0))
    files._remove_abandoned.cache_clear()
    atomic_write(path, "text")
    assert all(other.exists() for other in others)


@pytest.mark.parametrize(("durable", "flushed"), [(True, 2), (False, 0)])
def test_what_is_durable_is_flushed_before_and_after_it_has_its_name(
    durable: bool, flushed: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda _fd: seen.append(path.exists()))
    atomic_write(path, "text", durable=durable)
    assert seen == [False, True][:flushed]
