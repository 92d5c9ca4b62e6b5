"""Callers that have to say who they are (PS3.7 Annex D.3.3.7)."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from pacs_ai.errors import ConfigError
from pacs_ai.net.passcodes import passcode_digest
from pacs_ai.net.users import Users, read_users
from tests import net_peer as net
from tests.net_peer import Node

pytestmark = pytest.mark.integration

USERS = Users({"ct1": "s3cret:x"})


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with net.running(tmp_path, replace(net.SETTINGS, users=lambda: USERS)) as node:
        yield node


def identity(kind: int, name: str, passcode: str = "", *, tell: bool = True) -> list[object]:
    item = UserIdentityNegotiation()
    item.user_identity_type = kind
    item.primary_field = name.encode()
    if passcode:
        item.secondary_field = passcode.encode()
    item.positive_response_requested = tell
    return [item]


@pytest.mark.parametrize(
    ("items", "accepted"),
    [
        (identity(2, "ct1", "s3cret:x"), True),
        (identity(2, "ct1", "s3cret:x", tell=False), True),
        (identity(2, "ct1", "s3cret"), False),
        (identity(2, "ct2", "s3cret:x"), False),
        (identity(1, "ct1"), False),
        ([], False),
    ],
)
def test_pynetdicom(node: Node, items: list[object], accepted: bool) -> None:
    entity = AE("SENDER")
    entity.add_requested_context(net.VERIFICATION)
    association = entity.associate("127.0.0.1", node.port, ae_title="AI_NODE", ext_neg=items)  # type: ignore[arg-type]
    assert association.is_established == accepted
    assert bool(node.recorder.opened_for) == accepted
    if accepted:
        answer = association.acceptor.user_identity
        told = items[0].positive_response_requested  # type: ignore[attr-defined]
        assert (answer is not None) == told
        assert association.send_c_echo().Status == 0
        association.release()


def test_storescu(node: Node, shared: Path, tool: Callable[[str], Path]) -> None:
    path = next((shared / "data" / "dicom" / "mr-brain-35").iterdir())
    command = [tool("storescu"), "-usr", "ct1", "-pwd", "s3cret:x", "-rsp", "-aec", "AI_NODE"]
    where = ["127.0.0.1", str(node.port), str(path)]
    subprocess.run([*command, *where], check=True, timeout=30)
    assert len(node.recorder.received) == 1
    command[4] = "wrong"
    assert subprocess.run([*command, *where], check=False, timeout=30).returncode != 0
    assert len(node.recorder.received) == 1


def test_nobody_has_to_where_no_users_are_set(tmp_path: Path) -> None:
    with net.running(tmp_path) as node:
        entity = AE("SENDER")
        entity.add_requested_context(net.VERIFICATION)
        items = identity(2, "anybody", "anything")
        association = entity.associate("127.0.0.1", node.port, ae_title="AI_NODE", ext_neg=items)  # type: ignore[arg-type]
        assert association.is_established
        assert association.acceptor.user_identity is None
        association.release()


def test_users_may_change_while_the_node_runs(tmp_path: Path) -> None:
    current: list[Users | None] = [None]
    with net.running(tmp_path, replace(net.SETTINGS, users=lambda: current[0])) as node:

        def accepted(items: list[object]) -> bool:
            entity = AE("SENDER")
            entity.add_requested_context(net.VERIFICATION)
            association = entity.associate(
                "127.0.0.1", node.port, ae_title="AI_NODE", ext_neg=items
            )  # type: ignore[arg-type]
            established = association.is_established
            if established:
                association.release()
            return established

        assert accepted([])
        current[0] = Users({}, {"ct1": passcode_digest("right")})
        assert not accepted([])
        assert accepted(identity(2, "ct1", "right"))
        current[0] = None
        assert accepted([])


def test_a_file_of_users(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text("# modalities\n\nct1:s3cret:x\n mr 1 :ä\n", "utf-8")
    path.chmod(0o600)
    users = read_users(path)
    assert users.admit(b"ct1", b"s3cret:x")
    assert users.admit(b"mr 1", "ä".encode())
    assert not users.admit(b"ct1", b"")
    assert not users.admit(b"", b"")
    assert "s3cret" not in repr(users)
    assert "s3cret" not in repr(replace(net.SETTINGS, users=lambda: users))


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("ct1\n", 0o600),
        ("", 0o600),
        ("ct1:\n", 0o600),
        ("ct1:x\nct1:y\n", 0o600),
        ("ct1:x\n", 0o604),
    ],
)
def test_a_file_of_users_that_is_of_no_use(tmp_path: Path, text: str, mode: int) -> None:
    path = tmp_path / "users"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="users"):
        read_users(path)
