"""Bytes on disk: instances as they were sent, and the results made of them.

::

    spool/
      site.key             the installation's secret (0600)
      database.id          which database it belongs to
      <node>/              each node in its own folder, locked by its daemon
        lock
        log                the last lines of its log, for the page
        tmp/               parts, still being written
        instances/ab/      by our own names, never by anything a peer sent
        variants/          same SOP instance in another wrapping, set aside
        quarantine/        orphans that are not DICOM, second contents under one UID
        results/ab/

A file is complete as soon as it is outside ``tmp/``. A folder such as ``ab/`` has the files whose
names begin so; those of the results of one job begin alike.
"""

import contextlib
import fcntl
import os
import random
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from pacs_ai.digests import RunningDigest
from pacs_ai.errors import ConfigError, StorageError
from pacs_ai.files import IncomingFile, sync_folder, translated
from pacs_ai.store.disk import begin_to_write, remove
from pacs_ai.store.sitekey import made_key

SUFFIX = ".dcm"
_PART = ".part"
_FOLDERS = ("tmp", "instances", "variants", "quarantine", "results")
_ASIDE = ("variants", "quarantine")
_FANNED = ("instances", "results")
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Spool:
    """One node's part of the spool.

    Parameters
    ----------
    root
        Folder of the spool, common to all nodes that share it.
    node
        Name of this node's folder in it.
    durable
        Whether to flush files and folders to the disk before calling them kept.
    """

    def __init__(self, root: Path, node: str, *, durable: bool = True) -> None:
        self.root = root
        self.node = node
        self.durable = durable
        self.home = root / node
        self._root = str(root)
        self._lock_fd = -1
        self._parts = str(self.home / "tmp")

    def open(self) -> None:
        """Make the folders, readable by the owner only.

        Raises
        ------
        StorageError
            If they cannot be made.
        """
        with translated(self.home):
            for folder in _FOLDERS:
                (self.home / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in _FANNED:
                for number in range(256):
                    (self.home / folder / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)

    def lock(self) -> None:
        """Make sure that no other daemon works in this folder, until this process ends.

        Raises
        ------
        ConfigError
            If another daemon does.
        """
        with translated(self.home):
            self._lock_fd = os.open(
                self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock_fd)
            raise ConfigError(f"spool {self.home}: another pacs-ai daemon works in it") from None

    def unlock(self) -> None:
        """Let another daemon have the folder."""
        os.close(self._lock_fd)

    def works(self, node: str) -> bool:
        """Tell whether the daemon of another node is running: it holds the lock of its folder."""
        try:
            fd = os.open(self.root / node / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False

    def secret(self) -> bytes:
        """Return the installation's secret, made at first use; keyed hashes depend on it."""
        return made_key(self.root)

    def new_incoming(self, group: str = "") -> IncomingFile:
        """Open a new file for bytes that are arriving; its name begins with ``group``."""
        name = f"{group}{random.getrandbits(128):032x}"[:32]
        file = f"{self._parts}/{name}{_PART}"
        with translated(file):
            return IncomingFile(file, os.open(file, _NEW, 0o600), RunningDigest())

    def discard(self, incoming: IncomingFile) -> None:
        """Remove a file whose instance is not kept."""
        with contextlib.suppress(OSError):
            os.close(incoming.fd)
        remove(incoming.filename)

    @contextlib.contextmanager
    def flushing(self, incoming: IncomingFile) -> Iterator[None]:
        """Flush a file that has all its bytes while a block looks at them.

        The disk writes while the processor is at work: a sender waits for both.

        Raises
        ------
        StorageError
            At the end of the block, if the flush failed; the file is still there.
        """
        if self.durable:
            begin_to_write(incoming.fd)
        yield
        if self.durable:
            with translated(incoming.filename):
                os.fsync(incoming.fd)

    def keep(self, incoming: IncomingFile, *, flushed: bool = False) -> str:
        """Flush an incoming file, unless that is done, and give it the lasting name of an instance.

        Returns
        -------
        str
            The path relative to the spool's root, as rows have it.

        Raises
        ------
        StorageError
            If that fails; then nothing of the file is left.
        """
        return self._keep(incoming, "instances", flushed=flushed)

    def _keep(
        self,
        incoming: IncomingFile,
        folder: str,
        suffix: str = SUFFIX,
        *,
        flushed: bool = False,
        named: bool = True,
    ) -> str:
        name = incoming.filename[len(self._parts) + 1 : -len(_PART)]
        relative = f"{self.node}/{folder}/{name[:2]}/{name}{suffix}"
        target = f"{self._root}/{relative}"
        try:
            with translated(incoming.filename):
                try:
                    if self.durable and not flushed:
                        os.fsync(incoming.fd)
                finally:
                    os.close(incoming.fd)
                self._move(incoming.filename, target, named=named)
        except StorageError:
            remove(incoming.filename)
            remove(target)
            raise
        return relative

    def _move(self, source: str, target: str, *, named: bool = True) -> None:
        os.rename(source, target)  # noqa: PTH104 - a sender waits, and paths take their time
        if self.durable and named:
            sync_folder(target.rpartition("/")[0])

    def write_result(self, pieces: Iterable[bytes], suffix: str, *, group: str = "") -> str:
        """Store a result's bytes; returns the path relative to the spool's root.

        Parameters
        ----------
        group
            Two hexadecimal digits: results with the same ones lie in one folder. The file is not
            flushed then, until `flush` is called; the system begins to write it.
        """
        incoming = self.new_incoming(group)
        try:
            with translated(incoming.filename), os.fdopen(os.dup(incoming.fd), "wb") as file:
                file.writelines(pieces)
            if self.durable:
                begin_to_write(incoming.fd)
        except StorageError:
            self.discard(incoming)
            raise
        return self._keep(incoming, "results", suffix, flushed=bool(group), named=not group)

    def flush(self, relatives: Collection[str]) -> None:
        """Flush files that were stored, and then each of their folders once.

        Raises
        ------
        StorageError
            If that fails; the files are still there.
        """
        if not self.durable:
            return
        for relative in relatives:
            with translated(self.root / relative), (self.root / relative).open("rb") as file:
                os.fsync(file.fileno())
        for folder in dict.fromkeys(relative.rpartition("/")[0] for relative in relatives):
            with translated(self.root / folder):
                sync_folder(self.root / folder)

    def path_of(self, relative: str) -> Path:
        """Return where a stored path lies."""
        return self.root / relative

    def delete(self, relative: str) -> None:
        """Remove a stored file; one that is gone already is no error."""
        with translated(self.root / relative):
            (self.root / relative).unlink(missing_ok=True)

    def set_aside(self, relative: str, folder: str) -> str:
        """Move an instance to ``variants`` or ``quarantine``; returns the path it has there."""
        path = self.root / relative
        with translated(path):
            os.utime(path)  # its time there counts from now
            self._move(str(path), f"{self.home}/{folder}/{path.name}")
        return f"{self.node}/{folder}/{path.name}"

    def present(self) -> bool:
        """Tell whether this node's folder can be reached: without its mount it cannot."""
        try:
            (self.home / "tmp").stat()
        except OSError:
            return False
        return True

    def nodes(self) -> list[str]:
        """Return the names of all nodes that have a folder in the spool."""
        with translated(self.root):
            return sorted(lock.parent.name for lock in self.root.glob("*/lock"))

    def aside(self) -> Iterator[tuple[str, float]]:
        """Give the files set aside, relative to the spool's root, and when (seconds, POSIX)."""
        for folder in _ASIDE:
            with translated(self.home / folder):
                for path in (self.home / folder).glob("*"):
                    yield path.relative_to(self.root).as_posix(), path.stat().st_mtime

    def free_bytes(self) -> int:
        """Return the free space of the spool's file system in bytes."""
        with translated(self.home):
            return shutil.disk_usage(self.home).free

    def clear_parts(self) -> int:
        """Remove what a killed daemon was still writing; no sender was told it had arrived."""
        parts = list((self.home / "tmp").glob(f"*{_PART}"))
        with translated(self.home):
            for part in parts:
                part.unlink(missing_ok=True)
        return len(parts)

    def names_in(self, folder: str) -> set[str]:
        """Return the names of all files in a folder; nothing if it is gone.

        Raises
        ------
        StorageError
            If it cannot be read.
        """
        with translated(folder, "cannot be read"), contextlib.suppress(FileNotFoundError):
            return {file.name for file in (self.root / folder).iterdir()}
        return set()
