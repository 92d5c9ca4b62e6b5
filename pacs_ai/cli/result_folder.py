"""The folder that ``pacs-ai infer`` writes the results of a study to."""

from pathlib import Path

from pacs_ai.domain import ResultKind
from pacs_ai.files import atomic_write, translated
from pacs_ai.results.build import Built


class ResultFolder:
    """``DIR/STUDY-INSTANCE-UID``, or nowhere.

    Parameters
    ----------
    out
        Folder of all studies; with None results are made and checked, and not kept.
    study_instance_uid
        The study.
    """

    def __init__(self, out: Path | None, study_instance_uid: str) -> None:
        self._folder = None if out is None else out / study_instance_uid

    def clear(self) -> None:
        """Remove the files that an earlier run wrote, and no others.

        Raises
        ------
        StorageError
            If the folder cannot be written.
        """
        if self._folder is None:
            return
        with translated(self._folder, "cannot be written"):
            for old in (old for kind in ResultKind for old in self._folder.glob(f"{kind}-*.*")):
                old.unlink()

    def write(self, result: Built) -> str:
        """Write a result and return its path, "" if it is not kept.

        Raises
        ------
        StorageError
            If the folder cannot be written.
        """
        content = result.encode()
        if self._folder is None:
            return ""
        path = self._folder / f"{result.kind}-{result.number}{result.suffix}"
        with translated(self._folder, "cannot be written"):
            self._folder.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content, durable=False)
        return str(path)

    def remove(self, written: str) -> None:
        """Remove a result that was written."""
        if written:
            Path(written).unlink(missing_ok=True)
