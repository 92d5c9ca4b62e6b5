"""A list of ten thousand studies survives a node that is killed twice while it fetches them.

Each of the two kills costs at most one request too many. The long one takes some minutes.
"""

import json
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs_ai.config.load import load_config
from pacs_ai.flow.operate.pulls import sum_pulls
from pacs_ai.node.wiring import node_context
from pacs_ai.store.schema import Instance
from tests.crash.one_process import Order
from tests.crash.test_pulls import configured
from tests.node import wait_for
from tests.scripted_archive import ScriptedArchive, ct, scripted_archive
from tests.web_peer import Answer

pytestmark = pytest.mark.crash

ONE_OF = 50
"""The archive has one study of so many; of the others it says at once that it does not."""

RUN = """
import json, sys
from tests.crash.one_process import Order, perform
perform(Order(**json.load(sys.stdin)))
"""
SECONDS = 1800.0


@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize(
    "count",
    [
        pytest.param(300, marks=pytest.mark.slow),
        pytest.param(10_000, marks=pytest.mark.thorough),
    ],
)
def test_a_long_list_survives_two_kills(tmp_path: Path, count: int) -> None:
    studies = [f"1.2.{number}" for number in range(1, count + 1)]
    there = studies[::ONE_OF]
    reached = {number: threading.Event() for number in (count // 4, count * 2 // 3)}
    total = Counter[str]()

    def script(_study: str, _number: int) -> Answer | None:
        total["asked"] += 1
        if total["asked"] in reached:
            reached[total["asked"]].set()
        return None

    archive = ScriptedArchive({one: ct(one) for one in there}, script)
    with scripted_archive(archive) as url:
        order = Order(str(configured(tmp_path, url)), "archive", studies)
        for event in reached.values():
            kill_at(event, started(order, tmp_path))
        assert started(order, tmp_path).wait(SECONDS) == 0, (tmp_path / "log").read_text("utf-8")
    context = node_context(load_config(Path(order.config)))
    [sums] = sum_pulls(context)
    assert sums.studies == {"DONE": len(there), "FAILED": len(studies) - len(there)}
    with context.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Instance)) == len(there)
    context.database.close()
    assert archive.asked.keys() == set(studies), "none is lost"
    assert archive.asked.total() <= len(studies) + len(reached), (
        "what a kill interrupts comes again"
    )


def started(order: Order, folder: Path) -> "subprocess.Popen[str]":
    """Run a node in a process of its own."""
    with (folder / "log").open("ab") as log:
        node = subprocess.Popen(
            [sys.executable, "-c", RUN], stdin=subprocess.PIPE, stdout=log, stderr=log, text=True
        )
    assert node.stdin is not None
    with node.stdin as asked:
        json.dump(asdict(order), asked)
    return node


def kill_at(event: threading.Event, node: "subprocess.Popen[str]") -> None:
    wait_for(lambda: event.is_set() or node.poll() is not None, seconds=SECONDS)
    assert node.poll() is None, "it has ended before"
    node.kill()
    node.wait()
