"""Which images of a study a model is shown, and in which order."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pacs_ai.coverage import ALL_IMAGES
from pacs_ai.dicom.image_choice import ImageChoice, Run, chosen_runs, count_frames, spread_frames
from pacs_ai.dicom.orientation import odd_ones
from pacs_ai.dicom.other_objects import other_than_image
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
NO_PIXELS = "no pixels"
"""The misfit of an image without pixels, or without their rows and columns: a broken one."""

_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_SAME_ORIENTATION = 1e-3  # cosine units; scanners write four to six digits
_LOCALIZER = "LOCALIZER"
_LEAST_SIDE = 8
_MOST_ASPECT = 64


@dataclass(frozen=True, slots=True)
class InputRules:
    """What a model takes: the modalities, and how many images of a study at most.

    ``refusal`` says for what reason of its own the model refuses an image; "" for none. ``images``
    says which images of a sequence it is shown.
    """

    modalities: tuple[str, ...]
    max_images: int
    refusal: Callable[[InstanceHeader], str] = lambda _: ""
    images: ImageChoice = ALL_IMAGES


def misfit(header: InstanceHeader, wanted: InputRules) -> str:
    """Say why an instance is not shown to a model; "" if it fits.

    Excluded are this node's own results, objects that are no images or have no pixels, secondary
    captures that were made after the examination (ImageType value 2) or are in colour: screenshots
    and reports, not images; other modalities, and localizers (ImageType value 3, PS3.3 Section
    C.8.2.1.1.1). A digitised film is a secondary capture too and stays in. Strips of a few pixels
    are out: no picture of them can be shown. Then the model itself is asked. An image that would
    fit if it had its pixels is kept apart from what is no image at all: `NO_PIXELS`.
    """
    other = header.modality not in wanted.modalities
    capture = header.sop_class_uid in SECONDARY_CAPTURES
    reasons = (
        (header.manufacturer.strip().lower() == OUR_MANUFACTURER, "own result"),
        (bool(kind := other_than_image(header.sop_class_uid, header.transfer_syntax_uid)), kind),
        (capture and (other or _is_screenshot(header)), "secondary capture"),
        (other, "other modality"),
        (_LOCALIZER in header.image_type[2:3], "localizer"),
        (not has_image(header), NO_PIXELS),
        (_is_strip(header), "too narrow"),
    )
    return next((reason for wrong, reason in reasons if wrong), "") or wanted.refusal(header)


def has_image(header: InstanceHeader) -> bool:
    """Tell whether an instance has pixels, in rows and columns."""
    return header.has_pixels and header.rows > 0 and header.columns > 0


def _is_strip(header: InstanceHeader) -> bool:
    shorter, longer = sorted((header.rows, header.columns))
    return shorter < _LEAST_SIDE or longer > _MOST_ASPECT * shorter


def fits(header: InstanceHeader, wanted: InputRules) -> bool:
    """Tell whether an instance may be shown to a model; see `misfit` for the rules."""
    return not misfit(header, wanted)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a model is shown of a study, and what it is not.

    Parameters
    ----------
    frames
        What is analysed, as (instance, frame): projections first, then the slices of one series in
        the order of `sort_slices`. Frame counts from 1, as DICOM counts.
    other_orientation
        Instances of that series that lie in another direction than nearly all others, with the
        numbers of the frames that do.
    thinned
        How many frames are left out because the model takes no more.
    passed_over
        How many frames are left out because the model is to be shown others of their sequence.
    other_series
        How many series of slices were not chosen.
    series
        Of the slices that were chosen, "" if there are none.
    """

    frames: tuple[tuple[InstanceHeader, int], ...]
    other_orientation: tuple[tuple[InstanceHeader, Sequence[int]], ...] = ()
    thinned: int = 0
    passed_over: int = 0
    other_series: int = 0
    series: str = ""


def select_images(headers: Sequence[InstanceHeader], wanted: InputRules) -> Selection:
    """Choose the images of a study that a model is shown.

    Of slices (`VOLUME_MODALITIES`) the one series with most frames is taken; between equals the
    one with original images, then the lower series number. Images of it that lie in another
    direction than nearly all others are left out. Of other modalities every fitting image is taken.
    Then ``wanted.images`` chooses of the slices, and of the frames of each other multi-frame image.
    What has lost its pixels is chosen in the same way, and listed last: who decodes it finds and
    counts it.

    Parameters
    ----------
    headers
        All instances of the study.
    wanted
        What the model takes. Above ``max_images`` the frames are thinned out evenly.

    Raises
    ------
    NoFittingSeries
        If no instance fits; the message counts why.
    """
    rejected: dict[str, int] = defaultdict(int)
    series: dict[str, list[InstanceHeader]] = defaultdict(list)
    single: list[InstanceHeader] = []
    broken: list[InstanceHeader] = []
    for header in headers:
        reason = misfit(header, wanted)
        if reason:
            rejected[reason] += 1
            broken += [header] if reason == NO_PIXELS else []
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
    odd = _odd_frames(best)
    kept = [header for header in best if len(odd[header.sop_instance_uid]) < header.frames]
    lost, apart = _lost(best, broken)
    slices: list[Run] = [
        (header, _without(header.frames, odd[header.sop_instance_uid]))
        for header in _sequence(kept, lost, wanted.images)
    ]
    alone = [_whole(header) for header in (*sort_slices(single), *apart)]
    runs = [run for one in alone for run in chosen_runs([one], wanted.images)]
    runs = sorted([*runs, *chosen_runs(slices, wanted.images)], key=_broken_last)
    return Selection(
        frames=tuple(spread_frames(runs, wanted.max_images)),
        other_orientation=tuple(
            (h, odd[h.sop_instance_uid]) for h in best if odd[h.sop_instance_uid]
        ),
        thinned=max(0, count_frames(runs) - wanted.max_images),
        passed_over=count_frames([*alone, *slices]) - count_frames(runs),
        other_series=max(0, len(series) - 1),
        series=best[0].series_instance_uid if best else "",
    )


def _lost(
    series: Sequence[InstanceHeader], broken: Sequence[InstanceHeader]
) -> tuple[list[InstanceHeader], list[InstanceHeader]]:
    """Return the broken images that a reader would miss: those of the series, and all others.

    Broken slices of other series are left out.
    """
    chosen = {header.series_instance_uid for header in series}
    lost, apart = [], []
    for header in broken:
        if header.modality not in VOLUME_MODALITIES or not chosen:
            apart.append(header)
        elif header.series_instance_uid in chosen:
            lost.append(header)
    return lost, apart


def _sequence(
    kept: Sequence[InstanceHeader], lost: Sequence[InstanceHeader], images: ImageChoice
) -> list[InstanceHeader]:
    """Order a series; where the model is shown a part of it, its broken slices keep their place."""
    if images == ALL_IMAGES:
        return [*sort_slices(kept), *lost]
    return sort_slices([*kept, *lost])


def _whole(header: InstanceHeader) -> Run:
    return header, range(1, header.frames + 1)


def _broken_last(run: Run) -> tuple[bool, tuple[int, str]]:
    header, _ = run
    return (False, (0, "")) if has_image(header) else (True, _number(header))


def _odd_frames(series: Sequence[InstanceHeader]) -> dict[str, Sequence[int]]:
    """List the frames of each instance, by its UID, that lie in another direction."""
    odd: defaultdict[str, Sequence[int]] = defaultdict(tuple)
    places: list[tuple[InstanceHeader, Sequence[int]]] = []
    orientations: list[Sequence[float] | None] = []
    for header in series:
        own = header.frame_orientations
        places += [(header, (n,)) for n in range(1, len(own) + 1)] or [
            (header, range(1, header.frames + 1))
        ]
        orientations += own or (header.orientation,)
    for (header, numbers), is_odd in zip(places, odd_ones(orientations), strict=True):
        if is_odd:
            before = odd[header.sop_instance_uid]
            odd[header.sop_instance_uid] = [*before, *numbers] if before else numbers
    return odd


def _without(frames: int, odd: Sequence[int]) -> Sequence[int]:
    """List the numbers of all frames of an instance but the odd ones."""
    every = range(1, frames + 1)
    skipped = set(odd)
    return [number for number in every if number not in skipped] if odd else every


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
    return header.image_type[1:2] == ("SECONDARY",) or header.photometric not in _GREY
