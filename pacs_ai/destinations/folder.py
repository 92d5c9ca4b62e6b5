"""A folder as a destination, for a program that watches it."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from pacs_ai.destinations.base import DeliveryAnswer, DeliveryOutcome, MayLeave, OutgoingFile
from pacs_ai.errors import FolderUnavailable, StorageError
from pacs_ai.files import atomic_file

_MODE = 0o660
"""For this node's user and the folder's group: results name a patient."""


class FolderDestination:
    """Puts each file into a folder, under a name made of its UID, whole or not at all.

    A file of that name is replaced: a result with the same UID has the same content.

    Parameters
    ----------
    path
        The folder. It is never made here: without its mount the files would lie on another disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(
        self, files: Sequence[OutgoingFile], may_leave: MayLeave
    ) -> Sequence[DeliveryOutcome]:
        """Copy each file."""
        return [
            self._copy(file) if may_leave(file) else DeliveryOutcome(DeliveryAnswer.WITHHELD)
            for file in files
        ]

    def probe(self) -> None:
        """Look whether the folder is there and can be written."""
        try:
            is_folder = self._path.is_dir()
        except OSError as error:  # such as a folder above it that this user may not enter
            problem = f"{self._path} cannot be reached: {error.strerror}"
            raise FolderUnavailable(problem) from None
        if not is_folder:
            raise FolderUnavailable(f"{self._path} is not there, or is no folder")
        if not os.access(self._path, os.W_OK | os.X_OK):
            raise FolderUnavailable(f"{self._path} cannot be written")

    def _copy(self, file: OutgoingFile) -> DeliveryOutcome:
        target = self._path / f"{file.sop_instance_uid}{file.path.suffix}"
        try:
            with file.path.open("rb") as source, atomic_file(target, mode=_MODE) as copy:
                shutil.copyfileobj(source, copy)
        except StorageError as error:
            return DeliveryOutcome(DeliveryAnswer.NOT_NOW, FolderUnavailable(error.message))
        except OSError as error:
            unread = StorageError(f"{file.path} cannot be read: {error.strerror}")
            return DeliveryOutcome(DeliveryAnswer.NOT_NOW, unread)
        return DeliveryOutcome(DeliveryAnswer.STORED)
