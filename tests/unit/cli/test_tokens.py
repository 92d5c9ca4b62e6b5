"""`pacs-ai tokens`: shown once, kept as a digest."""

import json

from tests.unit.cli.conftest import Installation


def test_a_token_is_shown_once_and_kept_as_a_digest(node: Installation) -> None:
    made = node.pacs_ai("tokens", "add", "anna", "--role", "operator")
    token = made.out.strip()
    assert made.code == 0
    assert token.startswith("pacsai_")
    assert len(token) > 40
    assert "not shown again" in made.err
    listed = node.pacs_ai("tokens", "list", "--json").out
    (one,) = json.loads(listed)
    assert (one["name"], one["role"], one["revoked_at"]) == ("anna", "operator", None)
    assert token not in listed
    node.database.engine.dispose()
    files = list(node.folder.rglob("*"))
    assert not [path for path in files if path.is_file() and token.encode() in path.read_bytes()]


def test_a_token_is_revoked(node: Installation) -> None:
    assert node.pacs_ai("tokens", "list").err.strip() == "no tokens"
    node.pacs_ai("tokens", "add", "anna", "--role", "viewer")
    again = node.pacs_ai("tokens", "add", "anna", "--role", "viewer")
    assert (again.code, "already" in again.err) == (1, True)
    assert node.pacs_ai("tokens", "revoke", "anna").code == 0
    missing = node.pacs_ai("tokens", "revoke", "anna")
    assert (missing.code, "no valid token 'anna'" in missing.err) == (1, True)
    assert node.pacs_ai("tokens", "add", "anna", "--role", "admin", "--json").code == 0


def test_a_name_that_means_somebody_else_is_refused(node: Installation) -> None:
    for name in ("operator", "Local", "rules", "a/b", "", "é", "a\nb", "x" * 64):
        answer = node.pacs_ai("tokens", "add", name, "--role", "viewer")
        assert answer.code != 0, name
    assert node.pacs_ai("tokens", "add", "anna", "--role", "king").code == 2
