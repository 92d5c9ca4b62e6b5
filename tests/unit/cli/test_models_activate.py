"""``models activate``, ``rollback`` and ``disable``, and what ``models list`` says of them."""

import json
from pathlib import Path

import pytest

from pacs_ai.config import load_config
from tests.unit.cli.conftest import CONFIG, Answer, Installation
from tests.unit.flow.analysed import demo, other_version


def listed(pacs_ai: Installation) -> dict[str, dict[str, object]]:
    answer = pacs_ai.pacs_ai("models", "list", "--json")
    assert answer.code == 0, answer.err
    return {one["name"]: one for one in json.loads(answer.out)}


def models(node: Installation, *words: object) -> Answer:
    return node.pacs_ai("models", *map(str, words))


@pytest.fixture
def site(node: Installation, tmp_path: Path) -> Installation:
    """A node with two versions of its model."""
    file = node.folder / "pacs-ai.toml"
    file.write_text(f'{CONFIG}\n[models.demo]\nbundle = "demo"\n')
    added = models(node, "add", other_version(tmp_path / "new", "999"), "--name", "demo")
    assert (added.code, added.err) == (0, "pacs-ai models activate demo@999 takes it into use\n")
    assert set(load_config(file).models) == {"demo", "demo@999"}
    return node


def test_a_version_goes_live_and_back(site: Installation) -> None:
    before = listed(site)
    assert (before["demo"]["active"], before["demo@999"]["active"]) == (True, False)
    old = demo().identity.version
    said = models(site, "activate", "demo@999")
    assert said.out == f"demo: version 999 is active; a rollback makes {old} active\n"
    after = listed(site)
    assert (after["demo"]["active"], after["demo@999"]["active"]) == (False, True)
    assert after["demo@999"]["since"] is not None
    assert after["demo@999"]["set_by"]
    assert after["demo@999"]["earlier"] == old
    assert models(site, "rollback", "demo").code == 0
    assert listed(site)["demo"]["active"] is True


def test_a_disabled_model_is_listed_as_such(site: Installation) -> None:
    assert json.loads(models(site, "disable", "demo", "--json").out)["state"] == "DISABLED"
    found = listed(site)["demo"]
    assert (found["active"], found["disabled"]) == (False, True)
    assert models(site, "activate", "demo").code == 0
    assert listed(site)["demo"]["active"] is True


def test_what_is_not_there_is_refused(site: Installation) -> None:
    for words, said in (
        (("activate", "other"), "no model 'other'"),
        (("activate", "demo@7"), "no version '7'"),
        (("rollback", "demo"), "no other version was active before"),
        (("disable", "demo@999"), "name the model alone"),
    ):
        answer = models(site, *words)
        assert (answer.code, said in answer.err) == (1, True), answer.err


def test_the_version_that_is_active_and_the_first_one_stay(site: Installation) -> None:
    assert models(site, "activate", "demo@999").code == 0
    kept = models(site, "remove", "demo@999")
    assert (kept.code, "it is the version that is active" in kept.err) == (2, True)
    first = models(site, "remove", "demo", "--force")
    assert (first.code, "other versions" in first.err) == (2, True)
    assert models(site, "rollback", "demo").code == 0
    assert models(site, "remove", "demo@999").code == 0
    assert list(load_config(site.folder / "pacs-ai.toml").models) == ["demo"]


def test_an_active_version_that_the_file_lost_is_listed(site: Installation) -> None:
    assert models(site, "activate", "demo@999").code == 0
    file = site.folder / "pacs-ai.toml"
    file.write_text(file.read_text().partition('[models."demo@999"]')[0])
    found = listed(site)
    assert (found["demo"]["active"], found["demo@999"]["active"]) == (False, True)
    assert (found["demo"]["configured"], found["demo@999"]["configured"]) == (True, False)


def test_a_model_that_is_removed_leaves_no_decision_behind(
    node: Installation, tmp_path: Path
) -> None:
    file = node.folder / "pacs-ai.toml"
    file.write_text(f'{CONFIG}\n[models.demo]\nbundle = "demo"\n')
    bundle = other_version(tmp_path / "new", "999")
    for _ in range(2):
        assert models(node, "add", bundle, "--name", "bone").code == 0
        assert listed(node)["bone"]["active"] is True
        assert models(node, "disable", "bone").code == 0
        assert listed(node)["bone"]["active"] is False
        assert models(node, "remove", "bone").code == 0


def test_the_same_version_is_not_added_twice(site: Installation, tmp_path: Path) -> None:
    for version in ("999", None):
        bundle = other_version(tmp_path / f"again-{version}", version)
        answer = models(site, "add", bundle, "--name", "demo")
        assert (answer.code, "already" in answer.err) == (2, True)
