"""Many associations, large instances, sudden death: nothing is left over, nothing grows.

``PACS_AI_ENDURANCE`` multiplies the numbers; 50 makes it 10,000 associations of ten instances.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests import net_peer as net
from tests import ports
from tests.net_peer import Peer, data_pdu, fragment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]

TIMES = int(os.environ.get("PACS_AI_ENDURANCE", "1"))
MEGABYTE = 1 << 20


@dataclass
class Process:
    """A listener in a process of its own, which can be looked at from outside."""

    process: subprocess.Popen[bytes]
    port: int

    def status(self, key: str) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split(f"{key}:")[1].split()[0])

    @property
    def threads(self) -> int:
        return self.status("Threads")

    @property
    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    @property
    def megabytes(self) -> float:
        return self.status("VmRSS") / 1024

    @property
    def peak_megabytes(self) -> float:
        return self.status("VmHWM") / 1024

    def forget_peak(self) -> float:
        """Begin to watch the peak anew, from what is in use now."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.peak_megabytes


def start(port: int, folder: Path) -> Process:
    command = [sys.executable, "-m", "tests.bench.receivers", str(port), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return Process(process, port)
    process.kill()
    process.wait()
    raise TimeoutError("the listener does not start")


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One for all: to start a process takes longer than most tests do."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs Linux's /proc")
    running = start(ports.free_port(), tmp_path_factory.mktemp("received"))
    yield running
    running.process.kill()
    running.process.wait()


def associate(listener: Process, instances: int) -> None:
    with Peer(listener.port) as peer:
        peer.associate(called="ANY-SCP")
        for number in range(instances):
            assert peer.store(b"x" * 1000, f"1.2.{number}") == 0
        peer.release()


def together(work: Callable[[], None], senders: int) -> None:
    """Run something in several threads at once until all are done."""
    threads = [threading.Thread(target=work) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_associations_leave_nothing(listener: Process) -> None:
    for _ in range(20):
        associate(listener, 10)
    threads, descriptors = listener.threads, listener.descriptors
    memory = listener.megabytes
    for _ in range(200 * TIMES):
        associate(listener, 10)
    assert net.eventually(lambda: listener.threads <= threads)
    assert net.eventually(lambda: listener.descriptors <= descriptors)
    assert listener.megabytes - memory < 8


def test_rapid_associations_are_all_answered(listener: Process) -> None:
    """From eight senders at once, each of which connects again as soon as it can."""
    answered: list[int] = []

    def hurry() -> None:
        for number in range(50 * TIMES):
            associate(listener, 0)
            answered.append(number)

    together(hurry, 8)
    assert len(answered) == 400 * TIMES


def test_a_large_instance_takes_no_memory(listener: Process) -> None:
    before = listener.forget_peak()
    with Peer(listener.port, timeout=120) as peer:
        peer.associate(called="ANY-SCP")
        peer.send(data_pdu(fragment(1, 3, net.store_command())))
        for _ in range(300):
            peer.send(data_pdu(fragment(1, 0, bytes(MEGABYTE - 6))))
        peer.send(data_pdu(fragment(1, 2, b"")))
        assert peer.status() == 0
        peer.release()
    assert listener.peak_megabytes - before < 16


def test_fragments_without_end_take_no_memory(listener: Process) -> None:
    """Of a command, of a report, of crumbs: each is bounded."""
    before = listener.forget_peak()
    empty = data_pdu(*[fragment(1, 1, b"")] * 1000)
    report = net.command({2: net.COMMITMENT, 0x100: 0x100, 0x110: 1, 0x800: 1, 0x1002: 1})
    for first, more in (
        (b"", empty),
        (data_pdu(fragment(5, 3, report)), data_pdu(fragment(5, 0, bytes(500_000)))),
        (b"", data_pdu(fragment(1, 1, bytes(60_000)))),
    ):
        with Peer(listener.port) as peer:
            peer.associate(called="ANY-SCP")
            peer.send(first)
            try:
                for _ in range(100):
                    peer.send(more)
            except OSError:
                continue
    assert listener.peak_megabytes - before < 64


def test_hundred_strangers_take_little(listener: Process) -> None:
    before = listener.forget_peak()
    strangers = [Peer(listener.port) for _ in range(100)]
    for stranger in strangers:
        stranger.send(struct.pack(">BxL", 1, MEGABYTE), bytes(5000))
    associate(listener, 3)
    assert listener.peak_megabytes - before < 16
    for stranger in strangers:
        stranger.sock.close()


def test_listening_again_after_sudden_death(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    killed = start(port, tmp_path)
    with Peer(port) as peer:
        peer.associate(called="ANY-SCP")
        peer.send(data_pdu(fragment(1, 3, net.store_command()), fragment(1, 0, bytes(1000))))
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
        fresh = tmp_path / "again"  # the stand-in node does not clear up what a crash leaves
        fresh.mkdir()
        again = start(port, fresh)
        try:
            associate(again, 1)
        finally:
            again.process.kill()
            again.process.wait()


def test_a_slow_sender_holds_nobody_up(listener: Process) -> None:
    """Fifteen senders are done while one that trickles is in the middle of its instance."""
    with Peer(listener.port) as slow:
        slow.associate(called="ANY-SCP")
        slow.send(data_pdu(fragment(1, 3, net.store_command())))
        stop = threading.Event()

        def trickle() -> None:
            while not stop.wait(0.01):
                slow.send(data_pdu(fragment(1, 0, b"x" * 100)))

        trickling = threading.Thread(target=trickle)
        trickling.start()
        together(partial(associate, listener, 10), 15)
        stop.set()
        trickling.join()
        slow.send(data_pdu(fragment(1, 2, b"")))
        assert slow.status() == 0
