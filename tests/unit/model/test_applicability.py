from pathlib import Path

import pytest
from pydantic import ValidationError

from pacs_ai.domain import InstanceHeader
from pacs_ai.model.applicability import EVERYTHING, Applicability

CHEST = Applicability(
    outside="refuse",
    body_parts=("CHEST*",),
    views=("PA", "AP"),
    photometrics=("MONOCHROME2",),
    side=(64, 512),
    age_years=(18, 90),
)


def header(**values: object) -> InstanceHeader:
    fitting: dict[str, object] = {
        "body_part": " chestabdomen",
        "view_position": "PA",
        "photometric": "MONOCHROME2",
        "rows": 64,
        "columns": 512,
        "age_years": 18.0,
    }
    return InstanceHeader(Path("x"), "1", "2", "3", "4", "5", **{**fitting, **values})  # type: ignore[arg-type]


def test_an_image_within_has_no_misfit() -> None:
    assert CHEST.misfits(header()) == ()
    assert CHEST.refusal(header()) == ""


@pytest.mark.parametrize(
    ("values", "misfit"),
    [
        ({"body_part": "KNEE"}, "other body part"),
        ({"view_position": "LL"}, "other view"),
        ({"photometric": "RGB"}, "other photometric interpretation"),
        ({"rows": 63}, "other image size"),
        ({"columns": 513}, "other image size"),
        ({"age_years": 17.9}, "other patient age"),
        ({"age_years": 91.0}, "other patient age"),
    ],
)
def test_what_is_outside_is_named(values: dict[str, object], misfit: str) -> None:
    assert CHEST.misfits(header(**values)) == (misfit,)
    assert CHEST.refusal(header(**values)) == misfit


def test_what_an_image_does_not_say_is_not_held_against_it() -> None:
    silent = header(body_part="", view_position=" ", photometric="", age_years=None)
    assert CHEST.misfits(silent) == ()


def test_every_misfit_is_told_and_only_a_strict_model_refuses() -> None:
    knee = header(body_part="KNEE", age_years=5.0)
    assert CHEST.refusal(knee) == "other body part, other patient age"
    lenient = CHEST.model_copy(update={"outside": "flag"})
    assert len(lenient.misfits(knee)) == 2
    assert lenient.refusal(knee) == ""


def test_a_bundle_that_does_not_say_takes_everything() -> None:
    assert EVERYTHING.misfits(header(body_part="KNEE", rows=1)) == ()


def test_a_misspelt_key_is_an_error() -> None:
    with pytest.raises(ValidationError):
        Applicability.model_validate({"body_part": ["CHEST"]})
