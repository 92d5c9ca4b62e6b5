"""`pacs-ai users`: passcodes are shown once and kept as digests."""

import io
import json
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Installation


def test_a_passcode_is_shown_once_and_kept_as_a_digest(node: Installation) -> None:
    made = node.pacs_ai("users", "add", "ct 1")
    passcode = made.out.strip()
    assert (made.code, len(passcode)) == (0, 24)
    assert "not shown again" in made.err
    listed = node.pacs_ai("users", "list", "--json").out
    (one,) = json.loads(listed)
    assert (one["name"], one["source"], one["removed_at"]) == ("ct 1", "database", None)
    node.database.engine.dispose()
    files = [path for path in node.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if passcode.encode() in path.read_bytes()]


def test_a_person_may_choose_the_passcode(
    node: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "passcode"
    path.write_text("chosen\n")
    path.chmod(0o600)
    made = node.pacs_ai("users", "add", "ct", "--passcode-file", str(path))
    assert (made.code, made.out) == (0, "")
    again = node.pacs_ai("users", "add", "ct", "--passcode-file", str(path))
    assert (again.code, "--replace" in again.err) == (1, True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("other\n"))
    replaced = node.pacs_ai("users", "add", "ct", "--passcode-file", "-", "--replace", "--json")
    assert json.loads(replaced.out) == {"name": "ct", "passcode": None}
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert node.pacs_ai("users", "add", "mr", "--passcode-file", "-").code == 1
    for name in ("", " ct", "a\nb", "x" * 65):
        assert node.pacs_ai("users", "add", name).code == 1, name


def test_the_last_user_is_not_removed_by_mistake(node: Installation) -> None:
    assert node.pacs_ai("users", "list").err.strip() == "no users"
    for name in ("ct", "mr"):
        assert node.pacs_ai("users", "add", name).code == 0
    assert node.pacs_ai("users", "remove", "ct").code == 0
    missing = node.pacs_ai("users", "remove", "ct")
    assert (missing.code, "no user 'ct'" in missing.err) == (1, True)
    last = node.pacs_ai("users", "remove", "mr")
    assert (last.code, "--last" in last.err) == (1, True)
    assert "mr" in node.pacs_ai("users", "list").out
    assert node.pacs_ai("users", "remove", "mr", "--last").code == 0


def test_users_of_the_file_are_listed(node: Installation) -> None:
    (node.folder / "users").write_text("us:secret\n")
    (node.folder / "users").chmod(0o600)
    path = node.folder / "pacs-ai.toml"
    path.write_text(path.read_text().replace("[node]", '[node]\nusers = "users"'))
    assert node.pacs_ai("users", "add", "ct").code == 0
    listed = json.loads(node.pacs_ai("users", "list", "--json").out)
    assert [(one["name"], one["source"]) for one in listed] == [("us", "file"), ("ct", "database")]
    assert node.pacs_ai("users", "remove", "ct").code == 0
    assert node.pacs_ai("users", "remove", "us").code == 1
