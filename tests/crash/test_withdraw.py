"""SIGKILL at every marked point of a withdrawal: each destination is told, and told once."""

import importlib
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pytest

from tests.archive import to_archive
from tests.crash.killing import HOOK, gone, marked, restarted_if_dead
from tests.iocm_archive import IocmArchive, iocm_archive
from tests.node import Node, node
from tests.samples import sample

COMMAND = [
    "pacs_ai.store.withdrawal_rows:take_back:before",
    "pacs_ai.store.withdrawal_rows:take_back:after",
    "pacs_ai.flow.operate.withdrawals:withdraw_results:after",
]
"""Points at which the command dies; a person gives it again."""

NODE = [
    "pacs_ai.flow.withdraw:withdraw:before",
    "pacs_ai.flow.notices:_object:before",
    "pacs_ai.flow.withdraw:make_notice:after",
    "pacs_ai.store.withdrawals:enter:before",
    "pacs_ai.store.withdrawals:enter:after",
    "pacs_ai.flow.withdraw:_enter:after",
]
"""Points at which a worker of the node dies."""

QUICK = {COMMAND[2], NODE[4]}

pytestmark = pytest.mark.crash


@pytest.mark.parametrize("point", [*COMMAND, *NODE])
def test_every_point_is_there(point: str):
    module, path, _ = point.split(":")
    assert callable(attrgetter(path)(importlib.import_module(module)))


def send_and_wait(one: Node, archive: IocmArchive) -> None:
    assert one.send(sample()) == [0]
    one.wait_for(lambda: len(archive.kept) == 2 and one.states("delivery") == ["STORED"] * 2)


def withdraw(one: Node) -> int:
    return one.command("results", "withdraw", "1", "--reason", "quality").returncode


@pytest.mark.parametrize("point", marked(NODE, QUICK, pytest.mark.thorough))
def test_a_node_that_dies_tells_each_destination_once(
    point: str, tmp_path: Path, free_port: Callable[[], int]
):
    port, flag = free_port(), tmp_path / "died"
    environment = {"PYTHONPATH": f"{HOOK}", "PACS_AI_TEST_KILL": f"{point}:{flag}"}
    with (
        iocm_archive(port) as archive,
        node(tmp_path / "node", free_port(), extra=to_archive(port), **environment) as one,
    ):
        one.start()
        send_and_wait(one, archive)
        assert withdraw(one) == 0
        one.wait_for(flag.exists)
        one.wait_for(lambda: gone(one, flag))
        told_once(one, archive)


@pytest.mark.parametrize("point", marked(COMMAND, QUICK, pytest.mark.thorough))
def test_a_command_that_dies_can_be_given_again(
    point: str, tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
):
    port, flag = free_port(), tmp_path / "died"
    with (
        iocm_archive(port) as archive,
        node(tmp_path / "node", free_port(), extra=to_archive(port)) as one,
    ):
        one.start()
        send_and_wait(one, archive)
        with monkeypatch.context() as patch:
            patch.setenv("PYTHONPATH", str(HOOK))
            patch.setenv("PACS_AI_TEST_KILL", f"{point}:{flag}")
            assert withdraw(one) == -9
        assert withdraw(one) == (0 if point in COMMAND[:2] else 1)  # 1: it was entered whole
        told_once(one, archive)


def told_once(one: Node, archive: IocmArchive) -> None:
    """The archive shows nothing any more, and has got one note."""
    one.wait_for(lambda: restarted_if_dead(one) and len(archive.notes) == 1)
    one.wait_for(lambda: one.states("delivery") == ["STORED"] * 3)
    assert archive.visible() == []
    assert archive.refused == []
    assert one.stop() == 0
