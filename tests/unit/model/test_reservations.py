from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.dicom.rendering_reservation import RenderingReservation
from pacs_ai.domain import (
    ImagePrediction,
    InstanceHeader,
    ModelIdentity,
    StudyPrediction,
)
from pacs_ai.errors import ResultWithheld
from pacs_ai.model.applicability import Misfit
from pacs_ai.model.reservations import OUTLIER, check_withheld, reservations_of

MODEL = ModelIdentity("m", "1", "x", "0" * 64, "softmax", "max", "letterbox-v1", (16, 16), ())


def study(
    outliers: Sequence[float | None],
    decisive: int = 0,
    misfits: Sequence[tuple[str, ...]] = (),
) -> StudyPrediction:
    misfits = misfits or [()] * len(outliers)
    images = tuple(
        ImagePrediction(
            InstanceHeader(Path("x"), "1", str(number), "3", "4", "5"),
            1,
            (),
            np.zeros((0, 1, 1), dtype=np.float32),
            outlier,
            misfit,
        )
        for number, (outlier, misfit) in enumerate(zip(outliers, misfits, strict=True))
    )
    return StudyPrediction(MODEL, images, (), decisive)


def test_images_like_those_of_training_are_not_remarked_upon() -> None:
    assert reservations_of(study([0.4, 1.0, None])) == ()


def test_a_decisive_outlier_is_told_with_its_distance() -> None:
    [one] = reservations_of(study([2.31]))
    assert one.code == OUTLIER
    assert one.percent == pytest.approx(231)
    assert one.text == "the image is unlike those the model learned from (2.3 times the limit)"
    assert one.image == 0


def test_a_stray_slice_of_a_long_series_is_not_told_but_many_are() -> None:
    assert reservations_of(study([0.5] * 19 + [1.2])) == ()
    [one] = reservations_of(study([0.5] * 18 + [1.2, 3.0]))
    assert one.image == 19
    assert one.text.startswith("2 of 20 images are unlike")


def test_a_stray_slice_that_decides_is_told() -> None:
    [one] = reservations_of(study([0.5] * 19 + [1.2], decisive=19))
    assert one.image == 19
    assert one.text.startswith("1 of 20 images is unlike")


def test_what_lies_outside_of_the_intended_use_is_told_as_a_share() -> None:
    knee = (Misfit.BODY_PART,)
    [one] = reservations_of(study([None] * 4, decisive=3, misfits=[(), knee, (), knee]))
    assert one.code.meaning == "Outside the intended use: other body part"
    assert len(one.code.value) <= 16
    assert (one.percent, one.image) == (50, 3)
    assert "2 of 4 images are outside" in one.text


def test_images_that_could_not_be_shown_as_they_ask_are_told_as_a_share() -> None:
    window = (RenderingReservation.WINDOW,)
    [one] = reservations_of(study([None] * 4, decisive=1, misfits=[(), window, (), window]))
    assert one.text == (
        "2 of 4 images are shown without the window of the header, which is not usable"
    )
    assert (one.percent, one.image) == (50, 1)


def test_blank_images_are_told_if_one_decides_or_if_they_are_more_than_a_few() -> None:
    blank = (RenderingReservation.BLANK,)
    ends = [blank, *[()] * 19]
    assert reservations_of(study([None] * 20, decisive=5, misfits=ends)) == ()
    for decisive, misfits in ((0, ends), (5, [*ends[:-1], blank])):
        [one] = reservations_of(study([None] * 20, decisive=decisive, misfits=misfits))
        assert one.code.value == "BLANK"
        assert (one.percent, one.image) == (100 * misfits.count(blank) / 20, 0)
    [one] = reservations_of(study([None], misfits=[blank]))
    assert one.text == "the image is blank: less than 2 % of the display range is used"


def test_every_name_fits_a_code() -> None:
    made = reservations_of(study([None], misfits=[(*Misfit, *RenderingReservation)]))
    assert len({one.code for one in made}) == 8
    assert all(len(one.code.value) <= 16 and len(one.code.meaning) <= 64 for one in made)


def test_only_outliers_withhold() -> None:
    check_withheld(reservations_of(study([None], misfits=[(Misfit.BODY_PART,)])))
    with pytest.raises(ResultWithheld, match=r"withheld: the image is unlike"):
        check_withheld(reservations_of(study([1.01])))
