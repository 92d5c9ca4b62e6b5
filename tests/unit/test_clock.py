"""Heartbeats while a block runs, and none after it."""

import threading

from pacs_ai.clock import heartbeat
from tests.node import wait_for


def test_a_block_has_heartbeats_and_the_last_one_ends_before_it() -> None:
    begun, ended = [0], [0]
    enters = threading.Event()

    def beat() -> None:
        begun[0] += 1
        enters.set()
        threading.Event().wait(0.01)
        ended[0] += 1

    with heartbeat(0.001, beat):
        wait_for(lambda: ended[0] >= 3)
        enters.clear()
        assert enters.wait(60)
    assert begun == ended
