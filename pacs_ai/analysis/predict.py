"""From the files of a study to a prediction."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pacs_ai.analysis.image_groups import image_groups
from pacs_ai.analysis.kept_frames import KeptFrames
from pacs_ai.analysis.measured import Measured
from pacs_ai.analysis.series_rest import rest_of_series
from pacs_ai.coverage import NAMED, LeftOut, Unseen
from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.parsed_files import ParsedFiles
from pacs_ai.dicom.series import (
    VOLUME_MODALITIES,
    InputRules,
    Selection,
    has_image,
    select_images,
)
from pacs_ai.domain import ImagePrediction, InstanceHeader, StudyPrediction
from pacs_ai.errors import NoFittingSeries, NotDicom, UnsupportedPixels
from pacs_ai.model.predict import Classifier


@dataclass(frozen=True, slots=True)
class Source:
    """One instance of a study, with an id that the caller gives it.

    ``modality`` and ``series`` (UID) are what the caller knows without the file, "" if nothing.
    ``patient`` is ``patient_path`` of `read_header`.
    """

    path: Path
    id: int
    modality: str = ""
    series: str = ""
    patient: Path | None = None


@dataclass(slots=True)
class OpenedStudy:
    """The instances of a study: what their headers say, and why some cannot be read."""

    headers: list[InstanceHeader] = field(default_factory=list)
    ids: dict[Path, int] = field(default_factory=dict)
    closed: list[Source] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PredictedStudy:
    """The prediction of a study, and what became of its instances.

    Parameters
    ----------
    prediction
        Of the study, with every image that was analysed.
    unusable
        Ids of the instances of which something could not be read or decoded, with the reason. The
        prediction leaves that out.
    used
        Ids of the instances that were analysed, at least in part.
    frames
        Decoded images that are likely to be drawn.
    measured
        Statistics of one image, drawn from those that were analysed, and its modality; see
        `pacs_ai.model.input_statistics`.
    """

    prediction: StudyPrediction
    unusable: dict[int, str]
    used: frozenset[int]
    frames: KeptFrames
    measured: Measured


def open_sources(
    sources: Sequence[Source],
    read: Callable[[Path, Path | None], InstanceHeader] = read_header,
) -> OpenedStudy:
    """Read the headers of instances, and sort them by series and number.

    Parameters
    ----------
    read
        What reads one of them.
    """
    opened = OpenedStudy()
    for source in sources:
        opened.ids[source.path] = source.id
        try:
            opened.headers.append(read(source.path, source.patient))
        except NotDicom as error:
            opened.closed.append(source)
            opened.faults[source.id] = error.message
    opened.headers.sort(key=_place)
    return opened


def _place(header: InstanceHeader) -> tuple[str, int, str]:
    """Return a sort key that does not depend on the order in which instances came in."""
    return header.series_instance_uid, header.instance_number, header.sop_instance_uid


def predict_study(
    classifier: Classifier, sources: Sequence[Source], not_received: int = 0
) -> PredictedStudy:
    """Classify and explain the images of a study that fit the model.

    Parameters
    ----------
    sources
        All instances of the study; those that are no images for this model are left out.
    not_received
        How many more images its source has.

    Raises
    ------
    NoFittingSeries
        If no instance is one the model takes.
    UnsupportedPixels
        If there are such instances, and none can be decoded.
    ResultWithheld
        If they are unlike the images of training, and the bundle withholds results of such images.
    """
    parsed = ParsedFiles()
    opened = open_sources(sources, parsed.header)
    spec, refusal = classifier.bundle.input, classifier.bundle.applicability.refusal
    wanted = InputRules(spec.modalities, spec.max_images, refusal, spec.images)
    selection = _select(opened, wanted)
    frames, measured = KeptFrames(classifier.identity), Measured()
    images, failed = _predict_images(classifier, selection, parsed, frames, measured)
    if not images:
        reasons = "; ".join(sorted({reason for *_, reason in failed}))
        raise UnsupportedPixels(f"none of {len(failed)} images can be decoded: {reasons}")
    left_out = _left_out(opened, selection, spec.modalities, failed)
    prediction = classifier.aggregate(images, replace(left_out, not_received=not_received))
    return PredictedStudy(
        prediction=replace(prediction, others=rest_of_series(opened.headers, images)),
        unusable={**opened.faults, **_faults(opened, selection, failed)},
        used=frozenset(opened.ids[image.header.path] for image in images),
        frames=frames,
        measured=measured,
    )


def _predict_images(
    classifier: Classifier,
    selection: Selection,
    parsed: ParsedFiles,
    frames: KeptFrames,
    measured: Measured,
) -> tuple[list[ImagePrediction], list[tuple[InstanceHeader, int, str]]]:
    """Predict images while the next are read; say which cannot be read.

    As many are predicted together as the model computes at a time: on a processor that is one.
    """
    images: list[ImagePrediction] = []
    failed: list[tuple[InstanceHeader, int, str]] = []
    misfits = classifier.bundle.applicability.misfits
    with closing(image_groups(classifier, parsed, selection.frames, failed)) as groups:
        for group in groups:
            x = np.concatenate([image.x for image in group])
            outputs = classifier.predict_inputs(x, [image.size for image in group])
            for image, seen in zip(group, outputs, strict=True):
                images.append(
                    ImagePrediction(
                        image.header,
                        image.frame,
                        seen.probabilities,
                        seen.saliency,
                        seen.outlier,
                        (*misfits(image.header), *image.reservations),
                    )
                )
                frames.offer(images[-1], image.decoded)
                measured.offer(images[-1], classifier.identity, image.x, image.decoded)
    return images, failed


def _select(opened: OpenedStudy, wanted: InputRules) -> Selection:
    try:
        return select_images(opened.headers, wanted)
    except NoFittingSeries as error:
        if not opened.closed:
            raise
        reasons = "; ".join(sorted(set(opened.faults.values())))
        unread = f"{len(opened.closed)} more cannot be read: {reasons}"
        raise NoFittingSeries(f"{error.message}; {unread}") from error


def _left_out(
    opened: OpenedStudy,
    selection: Selection,
    modalities: Sequence[str],
    failed: Sequence[tuple[InstanceHeader, int, str]],
) -> LeftOut:
    """Count the images that were to be analysed and were not; a file without a header is one."""
    closed = sum(_belongs(source, selection, modalities) for source in opened.closed)
    names = [_name(header, frame) for header, frame, _ in failed]
    odd = [
        (header, number)
        for header, numbers in selection.other_orientation
        for number in numbers[:NAMED]
    ]
    return LeftOut(
        unreadable=Unseen(len(failed) + closed, tuple(names[:NAMED])),
        other_orientation=Unseen(
            sum(len(numbers) for _, numbers in selection.other_orientation),
            tuple(_name(*one) for one in odd[:NAMED]),
        ),
        thinned=selection.thinned,
        passed_over=selection.passed_over,
        unplaced=closed + sum(not has_image(header) for header, _, _ in failed),
        other_series=selection.other_series,
    )


def _belongs(source: Source, selection: Selection, modalities: Sequence[str]) -> bool:
    """Tell whether an instance without a header would have been an image; yes if unsure."""
    if source.modality and source.modality not in modalities:
        return False
    slices = not source.modality or source.modality in VOLUME_MODALITIES
    return not (slices and source.series and selection.series not in ("", source.series))


def _name(header: InstanceHeader, frame: int) -> str:
    """Name an image for a reader, as `pacs_ai.results.content.report_level` does."""
    number = f"image {header.instance_number or '?'}"
    return f"{number} frame {frame}" if header.frames > 1 else number


def _faults(
    opened: OpenedStudy, selection: Selection, failed: Sequence[tuple[InstanceHeader, int, str]]
) -> dict[int, str]:
    """Say of each instance why it, or how much of it, is left out."""
    asked = Counter(header.path for header, _ in selection.frames)
    lost = Counter(header.path for header, *_ in failed)
    reasons = {header.path: reason for header, _, reason in reversed(failed)}
    faults = {
        opened.ids[header.path]: "in another orientation than nearly all others of its series"
        for header, numbers in selection.other_orientation
        if len(numbers) == header.frames
    }
    for path, reason in reasons.items():
        part = f"{lost[path]} of {asked[path]} frames: " if asked[path] > 1 else ""
        faults[opened.ids[path]] = part + reason
    return faults
