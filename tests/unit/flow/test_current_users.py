"""Who may call: users of the file and of the database, at run time."""

from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.errors import StorageError
from pacs_ai.flow import current_users
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_users import CurrentUsers
from pacs_ai.flow.operate.users import add_user, remove_user


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_users, "_LOOK_SECONDS", 0.0)


def test_rows_count_at_run_time(context: FlowContext) -> None:
    current = CurrentUsers(context)
    assert current() is None
    add_user(context, "ct", "right")
    users = current()
    assert users is not None
    assert users.admit(b"ct", b"right")
    assert users.admit(b"ct", b"right")
    assert not users.admit(b"ct", b"wrong")
    assert not users.admit(b"mr", b"right")
    assert (users.knows(b"ct"), users.knows(b"mr"), len(users)) == (True, False, 1)
    assert current() is users
    add_user(context, "ct", "new", replace=True)
    users = current()
    assert users is not None
    assert not users.admit(b"ct", b"right")
    remove_user(context, "ct", last=True)
    assert current() is None


def test_users_of_the_file_stay(context: FlowContext, tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text("us:secret\nct:of the file\n")
    path.chmod(0o600)
    node = context.config.node.model_copy(update={"users": path})
    context = replace(context, config=context.config.model_copy(update={"node": node}))
    current = CurrentUsers(context)
    add_user(context, "ct", "of the row")
    users = current()
    assert users is not None
    for name, passcode in ((b"us", b"secret"), (b"ct", b"of the file"), (b"ct", b"of the row")):
        assert users.admit(name, passcode)
    assert len(users) == 2
    remove_user(context, "ct")
    assert len(current() or ()) == 2
    assert not (current() or users).admit(b"ct", b"of the row")


def test_without_the_database_the_last_known_may_call(
    context: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = CurrentUsers(context)
    add_user(context, "ct", "right")
    assert current() is not None

    def out_of_reach() -> None:
        raise StorageError("the database is out of reach")

    monkeypatch.setattr(context.database, "read", out_of_reach)
    assert current() is not None
