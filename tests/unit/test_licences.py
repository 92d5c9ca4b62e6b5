"""Nothing in the base install is under a licence that would bind those who pass pacs-ai on."""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageMetadata, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PERMISSIVE = re.compile(
    r"\b(MIT|BSD|0BSD|Apache|ISC|ISCL|PSF|Python Software Foundation|HPND|MIT-CMU|Zlib|MPL)\b", re.I
)
COPYLEFT = re.compile(r"GPL|GNU|SSPL|Commons Clause|Non-?Commercial", re.I)
# A field longer than this is the whole text of a licence, not its name.
NAME_LENGTH = 200
# Locked in several versions, for different versions of Python.
MARKED = {"numpy"}


def licence_of(metadata: PackageMetadata) -> str:
    """What a package says of its licence: expression, short field and classifiers together."""
    field = metadata.get("License") or ""
    return "; ".join(
        [
            metadata.get("License-Expression") or "",
            field if len(field) <= NAME_LENGTH else "",
            *(c for c in metadata.get_all("Classifier") or [] if c.startswith("License")),
        ]
    )


def closure(requirements: Iterable[str]) -> set[str]:
    """Every distribution that these requirements bring in here, by name."""
    todo = [(Requirement(text), frozenset[str]()) for text in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        requirement, parent_extras = todo.pop()
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": e}) for e in parent_extras or {""}):
            continue
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        todo += [
            (Requirement(text), key[1]) for text in distribution(requirement.name).requires or ()
        ]
    return {name for name, _ in seen}


def objections(names: Iterable[str]) -> list[str]:
    """Name the packages whose licence is unknown or copyleft."""
    licences = {name: licence_of(distribution(name).metadata) for name in sorted(names)}
    return [
        f"{name}: {licence or 'no licence stated'}"
        for name, licence in licences.items()
        if COPYLEFT.search(licence) or not PERMISSIVE.search(licence)
    ]


@pytest.fixture(scope="module")
def base(root: Path) -> set[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return closure(project["dependencies"])


def test_base_install_is_permissive(base: set[str]) -> None:
    assert objections(base) == []


def test_the_walk_reaches_indirect_dependencies(base: set[str]) -> None:
    assert {"pydantic-core", "markupsafe", "pillow"} <= base


def test_the_base_install_holds_no_tensorflow_and_no_gpl_decoder(base: set[str]) -> None:
    assert base.isdisjoint({"tensorflow", "tensorflow-cpu", "keras", "onnx", "pylibjpeg-libjpeg"})


def test_base_lock_names_the_same_packages(root: Path, base: set[str]) -> None:
    lock = (root / "requirements" / "base.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.M)
    locked = {canonicalize_name(name): version for name, version in pins}
    if any(distribution(name).version != locked.get(name) for name in base - MARKED):
        pytest.skip("other versions than those of the lock are installed")
    elsewhere = {"setuptools", "colorama", "tzdata"}  # builds the package; other platforms
    assert set(locked) - elsewhere == base - {"setuptools"}


def test_the_lock_of_the_tests_leaves_nothing_to_resolve(root: Path) -> None:
    lock = (root / "requirements" / "dev.txt").read_text(encoding="utf-8")
    locked = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", lock, re.M)}
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["train"], *extras["dev"]]
    platform = {text for text in needed if Requirement(text).name == "tensorflow"}
    assert platform, "which wheel of it is taken, requirements/platform.in says"
    assert closure(text for text in needed if text not in platform) <= locked


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "AGPL-3.0 OR MIT", "", "LGPL-2.1"])
def test_copyleft_and_unknown_are_objected_to(
    licence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.licence_of", lambda _: licence)
    assert len(objections(["pydicom"])) == 1


def test_absent_package_is_an_error() -> None:
    with pytest.raises(PackageNotFoundError):
        closure(["surely-not-installed-anywhere"])
