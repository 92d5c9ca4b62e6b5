"""What the demonstration sends: two real studies and one whose truth is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.data import get_testdata_file

from pacs_ai.dicom.study_files import find_files, group_studies
from pacs_ai.errors import StorageError
from pacs_ai.phantom import Box, write_phantom_study

PHANTOM_SEED = 2026
"""Training and test phantoms are drawn from other seeds: the model has not seen this one."""

_PACKAGED = {"ct": "CT_small.dcm", "mr": "MR_small.dcm"}


@dataclass(frozen=True, slots=True)
class DemoStudy:
    """One study to send.

    Parameters
    ----------
    name
        Of its folder in the output.
    title
        For people.
    lesions
        For a phantom: SOP Instance UID of every image that shows the lesion, and the box
        (x0, y0, x1, y1) that it fills there, in pixels, half open. Empty where nothing is known.
    """

    name: str
    title: str
    study_instance_uid: str
    modality: str
    files: tuple[Path, ...]
    lesions: dict[str, Box]


def shipped_studies(folder: Path) -> list[DemoStudy]:
    """Return a phantom drawn into a folder, and CT and MR as they come with pydicom.

    The phantom is first: the model has learned from such images, the others get a caution.

    Raises
    ------
    StorageError
        If this installation of pydicom came without its files.
    """
    phantom = write_phantom_study(folder, "DX", PHANTOM_SEED, lesion=True)
    lesions = {image.sop_uid: image.box for image in phantom.images if image.box is not None}
    title = f"{phantom.modality}, phantom with a lesion"
    studies = [
        DemoStudy("phantom", title, phantom.study_uid, phantom.modality, phantom.files, lesions)
    ]
    for name, file in _PACKAGED.items():
        path = get_testdata_file(file, download=False)
        if path is None:
            raise StorageError(f"pydicom is installed without its {file}")
        study = group_studies([Path(path)])[0][0]
        title = f"{study.modality}, real ({file} of pydicom)"
        studies.append(
            DemoStudy(name, title, study.study_instance_uid, study.modality, study.files, {})
        )
    return studies


def given_studies(paths: Sequence[Path]) -> list[DemoStudy]:
    """Return the studies in the user's own files."""
    return [
        DemoStudy(
            f"study-{number}",
            f"{study.modality or 'no modality'}, {len(study.files)} instance(s)",
            study.study_instance_uid,
            study.modality,
            study.files,
            {},
        )
        for number, study in enumerate(group_studies(find_files(paths).files)[0], start=1)
    ]
