"""Download series into a folder: several at a time, each completely or not at all, none twice.

Each series has a folder named by its UID, with its DICOM files and ``series.json`` (sizes and MD5
sums). The folder is renamed to its UID last, after everything is verified and on disk, so a folder
that exists is complete, even if the process was killed. Unfinished series are in ``.parts``. The
server does not support ranges, so an unfinished series starts again.
"""

import fcntl
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pacs_ai.errors import NoSpace, PeerError, PeerUnreachable, StorageError
from training.download.licences import write_licences
from training.download.source import Advance, File, Series, Source
from training.run.disk import clear_disk_errors

RECORD = "series.json"
PARTS = ".parts"
THREADS = 4
"""Number of connections; the archive gives no limit, but asks for few."""

_ROOM = 1.1


@dataclass(frozen=True, slots=True)
class Fetched:
    """The content of the folder, and what was downloaded this time."""

    series: tuple[Series, ...]
    images: int
    bytes: int
    new_series: int
    new_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What is called during a download.

    ``begin`` gets the totals before it, ``advance`` the number of arriving bytes, ``done`` each
    finished series. ``wait`` is called first if another download is in the folder.
    """

    begin: Callable[[int, int, int], None]
    advance: Advance
    done: Callable[[Series], None]
    wait: Callable[[], None] = lambda: None


def transfer(
    wanted: Sequence[Series],
    folder: Path,
    source: Source,
    progress: Progress,
    threads: int = THREADS,
) -> Fetched:
    """Download series into a folder.

    Parameters
    ----------
    wanted
        The series.
    folder
        The target. Series that are there already are not requested again. While another download
        is in it, this one waits.
    source
        The archive.
    progress
        Called with the progress.
    threads
        Number of series fetched at the same time.

    Raises
    ------
    PeerUnreachable
        If the archive does not answer; the download stops then.
    PeerError
        If some series did not arrive completely; all others are there.
    NoSpace
        If the disk is full.
    StorageError
        If the folder cannot be written.
    """
    with _disk(folder), _alone_in(folder, progress.wait):
        shutil.rmtree(folder / PARTS, ignore_errors=True)
        there = {
            series.uid: files for series in wanted if (files := _complete_files(folder, series.uid))
        }
        missing = [series for series in wanted if series.uid not in there]
        progress.begin(len(wanted), len(there), sum(series.bytes for series in missing))
        _refuse_too_little_room(folder, missing)
        new: dict[str, list[File]] = {}
        try:
            failures = _fetch_all(missing, folder, source, progress, threads, new)
        finally:
            write_licences(folder, [each for each in wanted if each.uid in there | new])
        shutil.rmtree(folder / PARTS, ignore_errors=True)
    if failures:
        raise PeerError(
            f"{len(failures)} of {len(wanted)} series did not arrive ({failures[0].message}); "
            "all others are there: the same command fetches the missing ones"
        )
    files = [file for kept in (*there.values(), *new.values()) for file in kept]
    return Fetched(
        series=tuple(wanted),
        images=len(files),
        bytes=sum(file.bytes for file in files),
        new_series=len(new),
        new_bytes=sum(file.bytes for kept in new.values() for file in kept),
    )


def _fetch_all(
    missing: Sequence[Series],
    folder: Path,
    source: Source,
    progress: Progress,
    threads: int,
    new: dict[str, list[File]],
) -> list[PeerError]:
    """Fetch several series at a time into ``new``; return the errors of single series."""
    stopped = threading.Event()
    failures: list[PeerError] = []

    def advance(count: int) -> None:
        if stopped.is_set():
            raise PeerError("stopped")
        progress.advance(count)

    def one(series: Series) -> list[File]:
        return _fetch_one(series, folder, source, advance)

    with ThreadPoolExecutor(threads) as pool:
        running = {pool.submit(one, series): series for series in missing}
        try:
            for future in as_completed(running):
                series = running[future]
                try:
                    new[series.uid] = future.result()
                except PeerUnreachable:
                    raise
                except PeerError as error:
                    failures.append(error)
                progress.done(series)
        finally:
            # after an error or an interruption, running downloads are stopped
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
    return failures


def _fetch_one(series: Series, folder: Path, source: Source, advance: Advance) -> list[File]:
    draft = folder / PARTS / series.uid
    draft.mkdir(parents=True)
    files = source.fetch(series, draft, advance)
    record = {"uid": series.uid, "files": [asdict(file) for file in files]}
    (draft / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
    for path in (*draft.iterdir(), draft):
        _sync(path)
    draft.rename(folder / series.uid)
    _sync(folder)
    return files


def _sync(path: Path) -> None:
    """Flush a file or folder to disk, so that it survives a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _complete_files(folder: Path, uid: str) -> list[File]:
    """List the files of a series that is complete; none if one is missing or of another size."""
    try:
        record = json.loads((folder / uid / RECORD).read_text(encoding="utf-8"))
        files = [File(**each) for each in record["files"]]
        whole = all((folder / uid / file.name).stat().st_size == file.bytes for file in files)
    except (OSError, ValueError, KeyError, TypeError):
        whole, files = False, []
    if whole:
        return files
    shutil.rmtree(folder / uid, ignore_errors=True)
    return []


@contextmanager
def _alone_in(folder: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Make the folder, and wait until no other download is in it.

    The system releases the lock when the process ends, however it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_too_little_room(folder: Path, missing: Sequence[Series]) -> None:
    needed = int(sum(series.bytes for series in missing) * _ROOM)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise NoSpace(
            f"{folder} has {free / 2**30:.1f} GiB free, the download needs "
            f"{needed / 2**30:.1f}: free some, name another folder (--out), or fetch less (--limit)"
        )


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Turn disk errors into errors that name the remedy."""
    again = "complete series are kept; free some space and start the same command again"
    try:
        with clear_disk_errors(folder, again):
            yield
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror}") from error
