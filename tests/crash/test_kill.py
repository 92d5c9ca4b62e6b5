"""SIGKILL at every marked point: nothing acknowledged is lost, no result comes twice.

The node dies once, at the point given, in the daemon or in a worker; if the daemon died it is
started again. The sender repeats what was not acknowledged, as every sender does.
"""

import importlib
from collections import Counter
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pydicom
import pytest

from pacs_ai.errors import PeerError
from tests.archive import archive, to_archive
from tests.node import Node, node, wait_for
from tests.samples import sample

HOOK = Path(__file__).parent / "hook"

POINTS = [
    "pacs_ai.flow.receive:scan_instance:before",
    "pacs_ai.store.spool:Spool.keep:before",
    "pacs_ai.store.spool:Spool.keep:after",
    "pacs_ai.flow.receive:adopt:after",
    "pacs_ai.store.studies:close:after",
    "pacs_ai.store.completeness:close:after",
    "pacs_ai.flow.complete:close:after",
    "pacs_ai.store.jobs:create:after",
    "pacs_ai.store.tasks:claim:after",
    "pacs_ai.store.jobs:claim:after",
    "pacs_ai.analysis.study:predict_study:after",
    "pacs_ai.store.spool:Spool.write_result:after",
    "pacs_ai.flow.analyse:analyse_study:after",
    "pacs_ai.store.spool:Spool.flush:after",
    "pacs_ai.store.jobs:succeed:after",
    "pacs_ai.flow.analyse:_finish:after",
    "pacs_ai.store.tasks:finish:before",
    "pacs_ai.store.deliveries:claim:after",
    "pacs_ai.net.scu.client:store:before",
    "pacs_ai.net.scu.client:store:after",
    "pacs_ai.flow.deliver:_send:after",
    "pacs_ai.store.commitments:ask:after",
    "pacs_ai.net.scu.client:request_commitment:before",
    "pacs_ai.net.scu.client:request_commitment:after",
    "pacs_ai.store.commitments:confirmed:after",
]

pytestmark = pytest.mark.crash


COMMITTED = "commitment = true\nretry_max_seconds = 2"
"""An archive that is asked to take responsibility."""


MAIN_POINTS = {
    "pacs_ai.store.spool:Spool.keep:after",
    "pacs_ai.store.jobs:claim:after",
    "pacs_ai.store.jobs:succeed:after",
    "pacs_ai.net.scu.client:store:after",
}
"""One of each step of the main path; the others are slow tests."""


@pytest.mark.parametrize("point", POINTS)
def test_every_point_is_there(point: str):
    """A function that was renamed would otherwise show as a node that does not die."""
    module, path, _ = point.split(":")
    assert callable(attrgetter(path)(importlib.import_module(module)))


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(point, marks=[] if point in MAIN_POINTS else pytest.mark.slow)
        for point in POINTS
    ],
)
def test_killed_once_and_nothing_is_lost(point: str, tmp_path: Path, free_port: Callable[[], int]):
    node_port, archive_port = free_port(), free_port()
    flag = tmp_path / "died"
    environment = {"PYTHONPATH": f"{HOOK}", "PACS_AI_TEST_KILL": f"{point}:{flag}"}
    extra = to_archive(archive_port, peer=COMMITTED)
    with (
        archive(archive_port, node_port) as peer,
        node(tmp_path / "node", node_port, extra=extra, **environment) as one,
    ):
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
