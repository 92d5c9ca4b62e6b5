"""The section [conformal] of a bundle."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.domain import Decision
from pacs_ai.errors import BundleInvalid
from pacs_ai.model.bundle import load_bundle

Writer = Callable[..., Path]
WHOLE = {"confidence": "0.9", "answers": '"findings"', "lowest": "[0, 0.8]", "highest": "[1, 0.3]"}


def add(folder: Path, **values: str) -> Path:
    manifest = folder / "model.toml"
    text = "".join(f"{key} = {value}\n" for key, value in (WHOLE | values).items() if value)
    whole = manifest.read_text().replace("format = 1\n", "format = 2\n")
    manifest.write_text(f"{whole}\n[conformal]\n{text}")
    return folder


def test_the_sets_decide(write_bundle: Writer) -> None:
    identity = load_bundle(add(write_bundle())).identity
    decided = [identity.decide(1, (1 - p, p)) for p in (0.29, 0.31, 0.6, 0.79, 0.8)]
    unsure = Decision.UNDETERMINED
    assert decided == [Decision.ABSENT, unsure, unsure, unsure, Decision.PRESENT]
    assert identity.doubt(1, (0.4, 0.6)) == "neither present nor absent fits"
    assert identity.decide(0, (0.4, 0.6)) is None
    assert identity.doubt(0, (0.4, 0.6)) == ""
    assert identity.classes[1].undetermined == (0.3, 0.8)


def test_a_band_of_the_class_remains(write_bundle: Writer) -> None:
    folder = write_bundle()
    manifest = folder / "model.toml"
    head, _, tail = manifest.read_text().rpartition("threshold = 0.5\n")
    manifest.write_text(f"{head}threshold = 0.5\nundetermined = [0.2, 0.6]\n{tail}")
    assert load_bundle(add(folder)).identity.classes[1].undetermined == (0.2, 0.8)


def test_without_the_section_nothing_changes(write_bundle: Writer) -> None:
    identity = load_bundle(write_bundle()).identity
    assert identity.sets is None
    assert identity.decide(1, (0.4, 0.6)) is Decision.PRESENT
    assert identity.doubt(1, (0.4, 0.6)) == ""


@pytest.mark.parametrize(
    "values",
    [
        {"confidence": "1.0"},
        {"confidence": "0.4"},
        {"answers": '"both"'},
        {"lowest": "[0.8]"},
        {"highest": "[0.3]"},
        {"answers": '"classes"'},
        {"lowest": "[0, 1.1]"},
        {"more": "1"},
    ],
)
def test_limits_that_do_not_fit_are_refused(write_bundle: Writer, values: dict[str, str]) -> None:
    with pytest.raises(BundleInvalid, match="conformal"):
        load_bundle(add(write_bundle(), **values))


def test_the_first_format_has_no_sets(write_bundle: Writer) -> None:
    manifest = add(write_bundle()) / "model.toml"
    manifest.write_text(manifest.read_text().replace("format = 2\n", "format = 1\n"))
    with pytest.raises(BundleInvalid, match="conformal: these need format = 2"):
        load_bundle(manifest.parent)
