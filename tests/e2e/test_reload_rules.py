"""Rules are reloaded while studies stream in: no study is lost, and a bad file changes nothing."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archive import archive, to_archive
from tests.node import Node, node
from tests.samples import new_study

FIRST, SECOND, BAD = ('results = ["report"]', 'results = ["capture"]', 'results = ["picture"]')
TAKEN = "SELECT sha256 FROM rule_set WHERE state = 'TAKEN' ORDER BY id"
LAST = "SELECT kind FROM result ORDER BY id DESC LIMIT 1"


def write(one: Node, old: str, new: str) -> None:
    text = one.config.read_text()
    assert old in text
    one.config.write_text(text.replace(old, new))


@pytest.mark.slow
def test_rules_are_reloaded_between_studies(tmp_path: Path, free_port: Callable[[], int]) -> None:
    archive_port = free_port()
    extra = to_archive(archive_port, rule=FIRST)
    sent = 0

    def send(count: int) -> None:
        nonlocal sent
        for _ in range(count):
            sent += 1
            assert one.send(*new_study(tmp_path / str(sent))) == [0]

    def all_done() -> bool:
        jobs = one.states("job") == ["SUCCEEDED"] * sent
        return jobs and set(one.states("delivery")) == {"STORED"} and len(peer.stored) == sent

    with archive(archive_port, 0) as peer, node(tmp_path / "n", free_port(), extra=extra) as one:
        one.start()
        send(2)
        write(one, FIRST, SECOND)
        assert one.command("rules", "reload").returncode == 0
        send(1)
        one.wait_for(all_done)
        assert one.query(LAST) == [("capture",)]

        write(one, SECOND, BAD)
        refused = one.command("rules", "reload")
        assert refused.returncode == 2
        assert "results" in refused.stderr
        one.wait_for(lambda: "rules refused" in one.log)
        one.kill()
        write(one, BAD, SECOND)
        one.start()
        write(one, SECOND, FIRST)
        assert one.process is not None
        one.process.send_signal(signal.SIGHUP)
        one.wait_for(lambda: one.query(TAKEN)[-1] == one.query(TAKEN)[0])
        send(1)
        one.wait_for(all_done)
        assert one.query(LAST) == [("report",)]
        assert one.stop() == 0
