"""Copies of a phantom study, each a study of its own: the same pixels under new UIDs."""

from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

from pacs_ai.phantom.study import PhantomStudy
from pacs_ai.uids import random_uid


class StudyCopies:
    """Writes copies of a study.

    Parameters
    ----------
    study
        As it was written; it is read once.
    """

    def __init__(self, study: PhantomStudy) -> None:
        self._datasets: list[Dataset] = [dcmread(path) for path in study.files]
        for dataset in self._datasets:
            dataset.PixelData = bytes(dataset.PixelData)  # read now: the file may go

    def write(self, folder: Path) -> tuple[str, tuple[Path, ...]]:
        """Write one copy under random UIDs.

        Parameters
        ----------
        folder
            Where its files go; made if absent.

        Returns
        -------
        tuple
            Its Study Instance UID, and its files.
        """
        folder.mkdir(parents=True, exist_ok=True)
        study, series = random_uid(), random_uid()
        paths = []
        for number, dataset in enumerate(self._datasets, start=1):
            dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
            dataset.SOPInstanceUID = UID(random_uid())
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            paths.append(folder / f"{number}.dcm")
            dataset.save_as(paths[-1], enforce_file_format=True)
        return study, tuple(paths)
