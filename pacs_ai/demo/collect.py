"""What came back: the archive's objects as text, pictures and files, and whether they are right."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset

from pacs_ai.demo.archive import SUFFIX
from pacs_ai.demo.studies import DemoStudy
from pacs_ai.domain import Decision
from pacs_ai.results.common.context import own_result
from pacs_ai.results.sr.read_report import Finding, read_findings
from pacs_ai.results.sr.report_text import render_text

_RECORD = ".made-by-pacs-ai-demo"
_REPORT, _CAPTURE = "SR", "OT"


@dataclass(frozen=True, slots=True)
class CollectedStudy:
    """What of one study is in the archive.

    ``hit`` says whether the heat map's peak lies in the lesion's box; None where no lesion is
    known, or none was reported.
    """

    study: DemoStudy
    finding: Finding | None
    reports: int
    overlays: int
    seconds: float | None
    hit: bool | None

    @property
    def complete(self) -> bool:
        """Whether there is a report and an overlay."""
        return self.reports > 0 and self.overlays > 0


class Output:
    """The folder for people; only what an earlier demonstration made in it is replaced.

    Parameters
    ----------
    folder
        Made if absent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._record = folder / _RECORD
        self._remove_earlier()

    def write(self, name: str, content: bytes) -> None:
        """Write a file, and write down that it is ours."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._record.open("a", encoding="utf-8") as record:
            record.write(f"{name}\n")
        path.write_bytes(content)

    def _remove_earlier(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._record.exists():
            return
        for name in self._record.read_text("utf-8").splitlines():
            path = (self.folder / name).resolve()
            if path.is_relative_to(self.folder.resolve()):
                path.unlink(missing_ok=True)
                if path.parent != self.folder.resolve() and not any(path.parent.iterdir()):
                    path.parent.rmdir()
        self._record.unlink()


def collect_study(
    archive: Path, output: Output, study: DemoStudy, seconds: float | None
) -> CollectedStudy:
    """Take what the archive holds of a study, and write it for people.

    Parameters
    ----------
    archive
        The archive's folder.
    seconds
        From the last image to the delivered result, as the node's database has it.
    """
    results = [
        (path, dataset)
        for path in sorted((archive / study.study_instance_uid).glob(f"*{SUFFIX}"))
        if _is_ours(dataset := dcmread(path))
    ]
    results.sort(key=lambda one: int(one[1].InstanceNumber))  # the decisive picture first
    findings: list[Finding] = []
    counts = {_REPORT: 0, _CAPTURE: 0}
    for path, dataset in results:
        kind = str(dataset.Modality) if dataset.Modality == _REPORT else _CAPTURE
        counts[kind] += 1
        if kind == _REPORT:
            findings = read_findings(dataset)
        _write(output, study.name, path, dataset, counts[kind])
    return CollectedStudy(
        study,
        findings[0] if findings else None,
        counts[_REPORT],
        counts[_CAPTURE],
        seconds,
        _hit(study, findings),
    )


def _is_ours(dataset: Dataset) -> bool:
    return own_result(
        str(dataset.get("Manufacturer", "")), str(dataset.get("ManufacturerModelName", ""))
    )


def _write(output: Output, name: str, path: Path, dataset: Dataset, number: int) -> None:
    if dataset.Modality == _REPORT:
        stem = f"{name}/report-{number}"
        output.write(f"{stem}.txt", render_text(dataset).encode())
    else:
        stem = f"{name}/overlay-{number}"
        output.write(f"{stem}.png", _png(dataset.pixel_array))
    output.write(f"{stem}{SUFFIX}", path.read_bytes())


def _png(picture: npt.NDArray[np.uint8]) -> bytes:
    """Encode an RGB picture of shape (rows, columns, 3)."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()


def _hit(study: DemoStudy, findings: list[Finding]) -> bool | None:
    """Compare the peak of what was found with the place of the lesion."""
    if not study.lesions:
        return None
    for finding in findings:
        if finding.decision is Decision.PRESENT and finding.peak is not None:
            box = study.lesions.get(finding.sop_instance_uid)
            x, y = finding.peak
            return box is not None and box[0] <= x < box[2] and box[1] <= y < box[3]
    return None


def keep_sources(output: Output, study: DemoStudy) -> None:
    """Put what was sent beside what came back."""
    for number, file in enumerate(study.files, start=1):
        output.write(f"{study.name}/source-{number}{SUFFIX}", file.read_bytes())
