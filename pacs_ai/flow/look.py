"""The first half of step 4: from stored instances to a prediction. No database, no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.series import InputRules, frames_to_analyse, select_images
from pacs_ai.domain import ImagePrediction, InstanceHeader, StudyPrediction
from pacs_ai.errors import NotDicom, UnsupportedPixels
from pacs_ai.model.predict import Classifier


@dataclass(frozen=True, slots=True)
class Source:
    """An instance to look at, and what its owner calls it."""

    path: Path
    id: int


def look(
    classifier: Classifier, sources: Sequence[Source]
) -> tuple[StudyPrediction, dict[int, str]]:
    """Classify and explain the images of a study that fit the model.

    Parameters
    ----------
    sources
        All instances of the study that may be images.

    Returns
    -------
    prediction
        Of the study, with every image that was looked at.
    unusable
        Ids of the instances that could not be read or decoded, with the reason: the study goes on
        without them.

    Raises
    ------
    NoFittingSeries
        If no instance is one the model takes.
    UnsupportedPixels
        If there are such instances, and none can be decoded.
    ResultWithheld
        If they are unlike those the model learned from, and its bundle says to keep silent then.
    """
    unusable: dict[int, str] = {}
    headers: dict[Path, InstanceHeader] = {}
    ids = {source.path: source.id for source in sources}
    for source in sources:
        try:
            headers[source.path] = read_header(source.path)
        except NotDicom as error:
            unusable[source.id] = error.message
    spec = classifier.bundle.input
    applicability = classifier.bundle.applicability
    wanted = InputRules(spec.modalities, spec.max_images, applicability.refusal)
    chosen, _ = select_images(list(headers.values()), wanted)
    images: list[ImagePrediction] = []
    for header, frame in frames_to_analyse(chosen, spec.max_images):
        try:
            seen = classifier.examine(read_pixels(header.path, frame, spec.windows))
        except UnsupportedPixels as error:
            unusable[ids[header.path]] = error.message
        else:
            images.append(
                ImagePrediction(
                    header,
                    frame,
                    seen.probabilities,
                    seen.saliency,
                    seen.outlier,
                    applicability.misfits(header),
                )
            )
    if not images:
        reasons = "; ".join(sorted(set(unusable.values())))
        raise UnsupportedPixels(f"none of {len(chosen)} images can be decoded: {reasons}")
    return classifier.aggregate(images), unusable
