import dataclasses
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.series import (
    InputRules,
    fits,
    misfit,
    select_images,
    sort_slices,
)
from pacs_ai.domain import InstanceHeader
from pacs_ai.errors import NoFittingSeries

RULES = InputRules(("CT", "CR"), 100)
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
_numbers = itertools.count(1)


def image(**values: object) -> InstanceHeader:
    plain = InstanceHeader(
        path=Path("x"),
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid=f"1.{next(_numbers):06}",
        study_instance_uid="1",
        series_instance_uid="1.1",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        modality="CT",
        photometric="MONOCHROME2",
        image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
        rows=8,
        columns=8,
    )
    return dataclasses.replace(plain, **values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, ""),
        ({"modality": "MR"}, "other modality"),
        ({"has_pixels": False}, "no pixels"),
        ({"rows": 0}, "no pixels"),
        ({"manufacturer": "pacs-ai"}, "own result"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "localizer"),
        (
            {"sop_class_uid": SECONDARY, "image_type": ("DERIVED", "SECONDARY")},
            "secondary capture",
        ),
        ({"sop_class_uid": SECONDARY, "photometric": "RGB"}, "secondary capture"),
        ({"sop_class_uid": SECONDARY, "modality": "CR", "image_type": ()}, ""),
        ({"rows": 1, "columns": 512}, "too narrow"),
        ({"rows": 1032, "columns": 16}, "too narrow"),
        ({"rows": 64, "columns": 4096}, ""),
    ],
)
def test_what_fits(values, reason):
    header = image(**values)
    assert misfit(header, RULES) == reason
    assert fits(header, RULES) is not bool(reason)


def shown(headers, rules=RULES):
    """The instances of a selection, each once."""
    return list(dict.fromkeys(header for header, _ in select_images(headers, rules).frames))


def test_the_series_with_most_frames_is_chosen():
    few = [image(series_instance_uid="1.1") for _ in range(3)]
    many = [image(series_instance_uid="1.2", frames=10)]
    selection = select_images(few + many, RULES)
    assert selection.frames == tuple((many[0], frame) for frame in range(1, 11))
    assert (selection.other_series, selection.series, selection.thinned) == (1, "1.2", 0)


def test_between_equals_the_original_is_chosen():
    derived = image(series_instance_uid="1.1", image_type=("DERIVED", "SECONDARY", "MPR"))
    original = image(series_instance_uid="1.2", series_number=5)
    assert shown([derived, original]) == [original]


def test_all_projections_are_taken_before_the_slices():
    films = [image(modality="CR", series_instance_uid=f"2.{n}") for n in (1, 2)]
    slices = [image() for _ in range(3)]
    assert shown([*slices, *films]) == [*films, *slices]


def test_too_many_images_are_thinned_evenly():
    slices = [image(instance_number=n) for n in range(100)]
    selection = select_images(slices, InputRules(("CT",), 10))
    chosen = [header.instance_number for header, _ in selection.frames]
    assert (chosen, selection.thinned) == (list(range(5, 100, 10)), 90)


def test_nothing_fits_says_why():
    with pytest.raises(NoFittingSeries, match=r"2 instances \(1 localizer, 1 other modality\)"):
        select_images([image(modality="MR"), image(image_type=("", "", "LOCALIZER"))], RULES)
    with pytest.raises(NoFittingSeries, match=r"suitable image for CT/CR among 1 instance \("):
        select_images([image(modality="MR")], RULES)
    with pytest.raises(NoFittingSeries, match="empty"):
        select_images([], RULES)


AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def test_slices_are_sorted_along_their_normal():
    slices = [
        image(position_mm=(0.0, 0.0, z), orientation=AXIAL, instance_number=n)
        for n, z in enumerate((30.0, -5.0, 12.5))
    ]
    assert [header.position_mm[2] for header in sort_slices(slices)] == [-5.0, 12.5, 30.0]


def test_sagittal_slices_are_sorted_by_x():
    sagittal = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    slices = [
        image(position_mm=(x, 1.0, 2.0), orientation=sagittal, instance_number=n)
        for n, x in enumerate((3.0, 1.0, 2.0))
    ]
    order = [header.position_mm[0] for header in sort_slices(slices)]
    assert order in ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0])


@pytest.mark.parametrize(
    "plane",
    [
        {"position_mm": None, "orientation": AXIAL},
        {"position_mm": (0.0, 0.0, -9.0), "orientation": (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)},
        {"position_mm": (0.0, 0.0, -9.0), "orientation": (0.0,) * 6},
    ],
)
def test_without_a_common_normal_the_instance_number_decides(plane):
    slices = [
        image(instance_number=2, **plane),
        image(instance_number=1, position_mm=(0.0, 0.0, 9.0), orientation=AXIAL),
    ]
    assert [header.instance_number for header in sort_slices(slices)] == [1, 2]


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 20))
def test_frames_are_spread_without_repetition(frames, limit):
    headers = [image(frames=count) for count in frames]
    if not headers:
        return
    selection = select_images(headers, InputRules(("CT",), limit))
    pairs = selection.frames
    assert len(pairs) == min(limit, sum(frames)) == sum(frames) - selection.thinned
    assert len({(header.sop_instance_uid, frame) for header, frame in pairs}) == len(pairs)
    assert all(1 <= frame <= header.frames for header, frame in pairs)
    places = [(headers.index(header), frame) for header, frame in pairs]
    assert places == sorted(places)


def test_frames_of_a_long_movie_are_spread():
    movie = image(frames=1000)
    frames = select_images([movie], InputRules(("CT",), 4)).frames
    assert [frame for _, frame in frames] == [126, 376, 626, 876]


def test_the_head_phantom_loses_its_screenshots(corpus):
    headers = [read_header(path) for path, row in corpus if row["file"].startswith("ct-head-54")]
    chosen = shown(headers, InputRules(("CT",), 1000))
    assert (len(headers), len(chosen)) == (56, 54)
    heights = [header.position_mm[2] for header in chosen]
    assert heights == sorted(heights)
