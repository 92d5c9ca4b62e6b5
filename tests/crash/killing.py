"""A node that is killed once, at a marked point, while a study goes through it."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pydicom
import pytest

from pacs_ai.errors import PeerError
from tests.archive import archive, to_archive
from tests.node import Node, node, wait_for
from tests.samples import sample

HOOK = Path(__file__).parent / "hook"
COMMITTED = "commitment = true\nretry_max_seconds = 2"
"""An archive that is asked to take responsibility."""


def marked(points: Iterable[str], main: Collection[str], others: pytest.MarkDecorator) -> list[Any]:
    """Return the points as parameters of a test; those beside the main ones get a mark."""
    return [
        pytest.param(point, marks=[] if point in main else others, id=point) for point in points
    ]


def check_killed_once(
    point: str,
    folder: Path,
    free_port: Callable[[], int],
    *,
    engine: str = "",
    storage: str = "min_free_gb = 0",
) -> None:
    """Send a study through a node that dies at a point; the results arrive, and arrive once.

    Parameters
    ----------
    point
        ``module:function:before`` or ``:after``.
    engine, storage
        Lines of these sections of the configuration.
    """
    node_port, archive_port = free_port(), free_port()
    flag = folder / "died"
    environment = {"PYTHONPATH": f"{HOOK}", "PACS_AI_TEST_KILL": f"{point}:{flag}"}
    extra = f"{engine}\n{to_archive(archive_port, peer=COMMITTED)}"
    with (
        archive(archive_port, node_port) as peer,
        node(folder / "node", node_port, extra=extra, storage=storage, **environment) as one,
    ):
        if "database" in storage:
            assert one.command("db", "upgrade").returncode == 0
        one.start()
        send_until_taken(one)
        wait_for(
            lambda: restarted_if_dead(one) and len(set(peer.uids())) >= 2 and flag.exists(),
            lambda: f"{peer.uids()} died={flag.exists()}\n{one.log}",
        )
        one.wait_for(lambda: gone(one, flag))
        one.wait_for(
            lambda: restarted_if_dead(one) and set(one.states("delivery")) == {"COMMITTED"},
        )
        kinds = Counter(
            str(d.Modality) for d in {d.SOPInstanceUID: d for d in peer.stored}.values()
        )
        assert kinds == {"SR": 1, "OT": 1}
        assert one.states("job") == ["SUCCEEDED"]
        assert one.states("study") == ["ROUTED"]
        original = pydicom.dcmread(sample())
        assert {str(d.PatientID) for d in peer.stored} == {str(original.PatientID)}
        assert one.stop() == 0


def gone(one: Node, flag: Path) -> bool:
    """Tell whether who was killed is gone: a daemon of many threads takes its time to die."""
    assert one.process is not None
    return one.process.pid != int(flag.read_text() or one.process.pid) or one.ended()


def restarted_if_dead(one: Node) -> bool:
    """Start the node again as a service manager would; True while it runs."""
    if one.ended():
        one.start()
    return True


def send_until_taken(one: Node) -> None:
    """Send like a modality: again and again until it is told 0x0000."""

    def taken() -> bool:
        restarted_if_dead(one)
        try:
            return one.send(sample()) == [0]
        except PeerError:
            return False

    one.wait_for(taken)
