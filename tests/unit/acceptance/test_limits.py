"""Limits: what is kept, what is not, and files that are refused."""

from pathlib import Path

import pytest

from pacs_ai.acceptance.figures import figures_of
from pacs_ai.acceptance.limits import Limits, check, read_limits
from pacs_ai.errors import ConfigError
from pacs_ai.model.bundle import load_bundle
from tests.unit.acceptance.made import judged, model


def kept(**limits: object) -> list[bool]:
    read = Limits.model_validate({"resamples": 100, **limits})
    found = figures_of(judged(), load_bundle("demo"), model(), read)
    return [one.kept for one in check(read, found)]


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ({"overall": {"auc": 0.5}}, [True]),
        ({"overall": {"auc": 0.999}}, [False]),
        ({"overall": {"calibration_error": 0.5}}, [True]),
        ({"overall": {"calibration_error": 0.001}}, [False]),
        ({"min_studies": 200}, [True]),
        ({"min_studies": 201}, [False]),
        ({"max_not_analysable": 0.0}, [True]),
        ({"classes": {"lesion": {"auc": 0.5, "npv": 0.999}}}, [True, False]),
        ({"subgroups": {"sensitivity": 0.01}}, [True, True]),
        ({"subgroups": {"sensitivity": 0.01}, "smallest_group": 1000}, [False]),  # none to look at
        ({"bins": 5}, []),
        ({"card": {"auc": 0.01}}, [False]),
        ({"card": {"auc": 0.5}}, [True]),
        ({"card": {"npv": 0.5}}, [False]),  # the card does not state it
    ],
)
def test_limits_are_checked(limits: dict[str, object], wanted: list[bool]) -> None:
    assert kept(**limits) == wanted


def test_the_interval_is_stricter_than_the_value() -> None:
    found = figures_of(judged(), load_bundle("demo"), model(), Limits(resamples=100))
    auc = found["all"]["overall"]["auc"]
    between = (auc["low"] + auc["value"]) / 2
    assert kept(overall={"auc": between}) == [True]
    assert kept(overall={"auc": between}, compared="interval") == [False]


def test_a_figure_that_is_not_defined_keeps_no_limit() -> None:
    limits = Limits.model_validate({"resamples": 100, "overall": {"auc": 0.0}})
    negative = [one for one in judged() if not one.row.truth[1]]
    found = figures_of(negative, load_bundle("demo"), model(), limits)
    (checked,) = check(limits, found)
    assert (checked.kept, checked.found) == (False, "not defined")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("auc = 0.9", "auc: unknown key"),
        ("[overall]\nauc = 90", "overall.auc: Input should be less"),
        ("[classes.oedema]\nauc = 0.9", "no class 'oedema'"),
        ('[operating_point]\nrule = "sensitivity"', "target belongs"),
        ("[", "cannot be read as TOML"),
    ],
)
def test_a_wrong_file_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_limits(path, ["no finding", "lesion"])


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text("min_studies = 3\n[classes.lesion]\nauc = 0.9\n")
    assert read_limits(path, ["lesion"]).classes["lesion"].given() == {"auc": 0.9}
