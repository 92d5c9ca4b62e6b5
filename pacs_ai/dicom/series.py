"""Which images of a study a model is shown, and in which order."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pacs_ai.domain import InstanceHeader
from pacs_ai.errors import NoFittingSeries

VOLUME_MODALITIES = frozenset({"CT", "MR", "PT", "NM"})
"""Modalities whose images are slices: the model sees one series of them."""

SECONDARY_CAPTURES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.7",
        "1.2.840.10008.5.1.4.1.1.7.1",
        "1.2.840.10008.5.1.4.1.1.7.2",
        "1.2.840.10008.5.1.4.1.1.7.3",
        "1.2.840.10008.5.1.4.1.1.7.4",
    }
)
OUR_MANUFACTURER = "pacs-ai"
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_SAME_ORIENTATION = 1e-3  # cosine units; scanners write four to six digits
_LOCALIZER = "LOCALIZER"
_LEAST_SIDE = 8
_MOST_ASPECT = 64


@dataclass(frozen=True, slots=True)
class InputRules:
    """What a model takes: the modalities, and how many images of a study at most.

    ``refusal`` says for what reason of its own the model refuses an image; "" for none.
    """

    modalities: tuple[str, ...]
    max_images: int
    refusal: Callable[[InstanceHeader], str] = lambda _: ""


def misfit(header: InstanceHeader, wanted: InputRules) -> str:
    """Say why an instance is not shown to a model; "" if it fits.

    Excluded are other modalities, objects without pixels, localizers (ImageType value 3, PS3.3
    Section C.8.2.1.1.1), this node's own results, and secondary captures that were made after the
    examination (ImageType value 2) or are in colour: screenshots and reports, not images. A
    digitised film is a secondary capture too and stays in. Strips of a few pixels are out: no
    picture of them can be shown. Then the model itself is asked.
    """
    reasons = (
        (header.modality not in wanted.modalities, "other modality"),
        (not (header.has_pixels and header.rows and header.columns), "no pixels"),
        (header.manufacturer.strip().lower() == OUR_MANUFACTURER, "own result"),
        (_LOCALIZER in header.image_type[2:3], "localizer"),
        (_is_screenshot(header), "secondary capture"),
        (_is_strip(header), "too narrow"),
    )
    return next((reason for wrong, reason in reasons if wrong), "") or wanted.refusal(header)


def _is_strip(header: InstanceHeader) -> bool:
    shorter, longer = sorted((header.rows, header.columns))
    return shorter < _LEAST_SIDE or longer > _MOST_ASPECT * shorter


def fits(header: InstanceHeader, wanted: InputRules) -> bool:
    """Tell whether an instance may be shown to a model; see `misfit` for the rules."""
    return not misfit(header, wanted)


def select_images(
    headers: Sequence[InstanceHeader], wanted: InputRules
) -> tuple[list[InstanceHeader], str]:
    """Choose the images of a study that a model is shown.

    Of slices (`VOLUME_MODALITIES`) the one series with most frames is taken; between equals the
    one with original images, then the lower series number. Of other modalities every fitting
    image is taken.

    Parameters
    ----------
    headers
        All instances of the study.
    wanted
        What the model takes. Above ``max_images`` the instances are thinned out evenly.

    Returns
    -------
    images
        In the order of `sort_slices`: projections first, then the slices.
    reason
        One sentence on what was chosen, for people.

    Raises
    ------
    NoFittingSeries
        If no instance fits; the message counts why.
    """
    rejected: dict[str, int] = defaultdict(int)
    series: dict[str, list[InstanceHeader]] = defaultdict(list)
    single: list[InstanceHeader] = []
    for header in headers:
        reason = misfit(header, wanted)
        if reason:
            rejected[reason] += 1
        elif header.modality in VOLUME_MODALITIES:
            series[header.series_instance_uid].append(header)
        else:
            single.append(header)
    if not series and not single:
        counted = ", ".join(f"{count} {reason}" for reason, count in sorted(rejected.items()))
        raise NoFittingSeries(
            f"no suitable image for {'/'.join(wanted.modalities)} among {len(headers)}"
            f" instance{'s' if len(headers) != 1 else ''} ({counted or 'the study is empty'})"
        )
    best = max(series.values(), key=_rank, default=[])
    chosen = sort_slices(single) + sort_slices(best)
    reason = f"{len(single)} projections, {len(best)} slices of 1 in {len(series)} series"
    return [chosen[index] for index in _spread(len(chosen), wanted.max_images)], reason


def frames_to_analyse(
    headers: Sequence[InstanceHeader], max_images: int
) -> list[tuple[InstanceHeader, int]]:
    """List the frames that are analysed, spread evenly when there are too many.

    Parameters
    ----------
    headers
        Instances in the order they are to be seen.
    max_images
        Number of frames at most.

    Returns
    -------
    list of (header, frame)
        Frame counts from 1, as DICOM counts.
    """
    total = sum(header.frames for header in headers)
    pairs: list[tuple[InstanceHeader, int]] = []
    picked = iter(_spread(total, max_images))
    index = next(picked, None)
    before = 0
    for header in headers:
        while index is not None and index < before + header.frames:
            pairs.append((header, index - before + 1))
            index = next(picked, None)
        before += header.frames
    return pairs


def sort_slices(headers: Sequence[InstanceHeader]) -> list[InstanceHeader]:
    """Order slices along their common normal; by instance number where they share none.

    Parameters
    ----------
    headers
        Slices of one series.

    Notes
    -----
    PS3.3 Section C.7.6.2.1.1: the normal is the cross product of the row and the column
    direction. Positions are in mm.
    """
    distances = _distances(headers)
    if distances is None:
        return sorted(headers, key=_number)
    keyed = zip(distances, map(_number, headers), headers, strict=True)
    return [header for _, _, header in sorted(keyed, key=lambda item: item[:2])]


def _distances(headers: Sequence[InstanceHeader]) -> list[float] | None:
    planes = [
        (header.position_mm, header.orientation)
        for header in headers
        if header.position_mm is not None and header.orientation is not None
    ]
    if not planes or len(planes) < len(headers):
        return None
    positions = np.array([position for position, _ in planes], dtype=np.float64)
    orientations = np.array([orientation for _, orientation in planes], dtype=np.float64)
    if np.ptp(orientations, axis=0).max() > _SAME_ORIENTATION:
        return None
    normal = np.cross(orientations[0, :3], orientations[0, 3:])
    if not np.linalg.norm(normal) > 1.0 - _SAME_ORIENTATION:
        return None
    # Positions of one plane differ in the last digits; rounding lets the instance number decide.
    return [round(float(distance), 3) for distance in positions @ normal]


def _number(header: InstanceHeader) -> tuple[int, str]:
    return header.instance_number, header.sop_instance_uid


def _rank(images: list[InstanceHeader]) -> tuple[int, bool, int, str]:
    first = images[0]
    original = first.image_type[:1] == ("ORIGINAL",)
    count = sum(image.frames for image in images)
    return count, original, -first.series_number, first.series_instance_uid


def _is_screenshot(header: InstanceHeader) -> bool:
    if header.sop_class_uid not in SECONDARY_CAPTURES:
        return False
    return header.image_type[1:2] == ("SECONDARY",) or header.photometric not in _GREY


def _spread(total: int, limit: int) -> list[int]:
    """Choose at most ``limit`` indices below ``total``, the middles of as many equal parts."""
    if total <= limit:
        return list(range(total))
    return [(2 * part + 1) * total // (2 * limit) for part in range(limit)]
