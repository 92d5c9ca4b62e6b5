"""Archives that write an answer in two pieces need not wait 40 ms between them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import PeerAddress, StoreOutcome
from tests.integration.test_net_client import instance
from tests.integration.test_net_kept_alone import listens
from tests.net_peer import eventually

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be told to acknowledge"),
]

OBJECTS = 80
DELAYED = 0.04
"""Seconds after which Linux acknowledges, once a connection is no longer young."""


def test_dcmtk_answers_at_once(
    tmp_path: Path, tool: Callable[[str], Path], free_port: Callable[[], int]
) -> None:
    """One answer of many is enough: without our doing, each would take longer."""
    (tmp_path / "archive").mkdir()
    peer = PeerAddress("DCMTK", "127.0.0.1", free_port())
    environment = {key: value for key, value in os.environ.items() if key != "TCP_NODELAY"}
    command = [tool("storescp"), "-od", tmp_path / "archive", str(peer.port)]
    moments: list[float] = []

    def note(_: StoreOutcome) -> None:
        moments.append(time.monotonic())

    with subprocess.Popen(command, env=environment) as archive:
        try:
            assert eventually(lambda: listens(peer.port))
            paths = [instance(tmp_path, number) for number in range(OBJECTS)]
            outcomes = client.store(peer, "US", paths, note)
        finally:
            archive.terminate()
    assert [outcome.status for outcome in outcomes] == [0] * OBJECTS
    taken = [after - before for before, after in pairwise(moments)]
    assert min(taken[OBJECTS // 2 :]) < DELAYED / 2
