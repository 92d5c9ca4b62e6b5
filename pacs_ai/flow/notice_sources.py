"""What notices of withdrawals are made from: the files of a study, or its evidence without them.

A notice names the patient, and the database does not. Retention removes the files of a study, and
keeps its evidence for longer: the results in it name the patient, too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from pacs_ai.dicom.files import opened
from pacs_ai.errors import Corrupted, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.evidence.archive import Archive, read_archive
from pacs_ai.flow.evidence.collect import kept_archive
from pacs_ai.flow.integrity import check_result
from pacs_ai.results.build import DICOM_SUFFIX
from pacs_ai.store import identities
from pacs_ai.store.schema import Result, Study


class NoticeSources:
    """The sources of the notices of one study.

    Parameters
    ----------
    study
        As it is now.
    """

    def __init__(self, context: FlowContext, study: Study) -> None:
        self._context = context
        self._study = study
        with context.database.read() as session:
            self._path = identities.right_file(session, study)

    @property
    def there(self) -> bool:
        """Whether something is left that names the patient."""
        return bool(self._path or self._named)

    @contextmanager
    def file(self) -> Iterator[Path]:
        """Give a DICOM file that names the right patient, until the block ends.

        Raises
        ------
        StorageError
            If nothing is left that names them, or it cannot be read.
        """
        if self._path:
            yield self._context.spool.path_of(self._path)
            return
        if self._archive is None or not self._named:
            raise StorageError(f"study {self._study.id}: no file names the patient who is right")
        with TemporaryDirectory() as folder:
            path = Path(folder, f"result{DICOM_SUFFIX}")
            path.write_bytes(self._archive.read(self._named))
            yield path

    def content(self, result: Result) -> bytes:
        """Return the bytes of a result as they were sent.

        Raises
        ------
        StorageError
            If they are not there any more, or cannot be read.
        """
        if result.path:
            spool = self._context.spool
            check_result(spool, result.path, result.bytes, result.digest)
            with opened(spool.path_of(result.path), "a result") as stream:
                return stream.read()
        for row in self._rows:
            if row["id"] == result.id and row["file"] and self._archive is not None:
                return self._archive.read(str(row["file"]))
        raise StorageError(f"study {self._study.id}: the {result.kind} is not there any more")

    @cached_property
    def _archive(self) -> Archive | None:
        path = kept_archive(self._context.spool.root, self._study.id)
        try:
            return None if path is None else read_archive(path)
        except Corrupted:
            return None

    @property
    def _rows(self) -> list[dict[str, object]]:
        return [] if self._archive is None else self._archive.content["results"]

    @cached_property
    def _named(self) -> str:
        """Name of a result in the evidence that names the right patient; "" without one."""
        objects = [
            str(row["file"])
            for row in self._rows
            if str(row["file"]).endswith(DICOM_SUFFIX)
            and row["correction"] == self._study.correction
        ]
        return objects[0] if objects else ""
