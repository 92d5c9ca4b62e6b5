"""Receive rates of the listener and its rivals, on one machine, in one run.

Usage: ``python -m tests.bench.receive [--rounds 5] [--folder /dev/shm] [--loads one,small,...]``

All rivals run as separate processes with TCP_NODELAY=1 (Debian's DCMTK needs that to be
comparable at all), write whole files and keep no index. Rounds are interleaved; medians count.
The sender has everything encoded beforehand and waits for each response.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests import net_peer as net

HEADER = struct.pack("<HHL", 0x0008, 0x0060, 2) + b"CT"


@dataclass(frozen=True)
class Load:
    """What is sent: ``associations`` of ``instances`` of ``size`` bytes, ``at_once`` together."""

    name: str
    associations: int
    instances: int
    size: int
    at_once: int = 1


LOADS = [
    Load("300 CT of 0.5 MB, one association", 1, 300, 530_000),
    Load("200 associations of one image", 200, 1, 20_000),
    Load("16 associations at once, 25 CT each", 16, 25, 530_000, 16),
    Load("20 instances of 15 MB", 1, 20, 15_000_000),
    Load("one instance of 2 GB", 1, 1, 2_000_000_000),
]


def element(size: int) -> bytes:
    return struct.pack("<HHL", 0x7FE0, 0x0010, size)


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data


def answer(sock: socket.socket) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BxL", exactly(sock, 6))
    return kind, exactly(sock, length)


def peer_limit(body: bytes) -> int:
    """The maximum length in an A-ASSOCIATE-AC."""
    at = body.index(b"\x51\x00\x00\x04") + 4
    limit: int = struct.unpack_from(">L", body, at)[0]
    return min(limit or 1 << 20, 1 << 20)


def send_association(port: int, load: Load, first: int, pixels: bytes) -> None:
    """Send some instances on one association."""
    with connect(port) as sock:
        contexts = [net.context(1, net.CT, [net.IMPLICIT])]
        sock.sendall(net.request(called="ANY-SCP", calling="BENCH", contexts=contexts))
        kind, body = answer(sock)
        if kind != net.AC:
            raise ConnectionError(f"rejected: {body!r}")
        step = peer_limit(body) - 6
        for number in range(first, first + load.instances):
            send_instance(sock, f"1.2.3.{os.getpid()}.{number}", load.size, pixels, step)
        sock.sendall(net.pdu(5, bytes(4)))
        answer(sock)


def send_instance(sock: socket.socket, uid: str, size: int, pixels: bytes, step: int) -> None:
    """Send one instance in as few writes as there are megabytes, and wait for success."""
    command = net.data_pdu(net.fragment(1, 3, net.store_command(uid)))
    uid_element = struct.pack("<HHL", 8, 0x18, len(uid) + len(uid) % 2) + uid.encode()
    uid_element += b"\0" * (len(uid) % 2)
    class_element = struct.pack("<HHL", 8, 0x16, len(net.CT) + 1) + net.CT.encode() + b"\0"
    head = class_element + uid_element + HEADER + element(size)
    total = len(head) + size
    sent, pending = 0, [command]
    while sent < total:
        count = min(step, total - sent)
        last = 2 if sent + count == total else 0
        pending.append(struct.pack(">BxLLBB", 4, count + 6, count + 2, 1, last))
        body = count
        if sent == 0:
            pending.append(head)
            body -= len(head)
        pending.append(memoryview(pixels)[:body])  # type: ignore[arg-type]
        sent += count
        if sum(map(len, pending)) > 1 << 20 or len(pending) > 900 or sent == total:
            write_all(sock, pending)
            pending = []
    kind, response = answer(sock)
    if kind != net.P_DATA or net.decode(response[6:])[0x900] != b"\0\0":
        raise ConnectionError("not stored")


def write_all(sock: socket.socket, parts: list[bytes]) -> None:
    sent = sock.sendmsg(parts)
    if sent < sum(map(len, parts)):
        sock.sendall(b"".join(parts)[sent:])


def send_raw(port: int, load: Load, first: int, pixels: bytes) -> None:
    """The limit: length, bytes, one byte back."""
    with connect(port) as sock:
        for _ in range(first, first + load.instances):
            write_all(sock, [struct.pack(">Q", load.size)])
            for at in range(0, load.size, len(pixels)):
                write_all(sock, [pixels[: min(len(pixels), load.size - at)]])
            exactly(sock, 1)


@dataclass(frozen=True)
class Round:
    """Instances a second, milliseconds of CPU an instance, and peak memory in MB."""

    rate: float
    cpu_ms: float
    peak_mb: float


Sender = Callable[[int, Load, int, bytes], None]


@dataclass(frozen=True)
class Rival:
    """A receiver: how to start it for a port and a folder, and how to speak to it."""

    name: str
    command: Callable[[int, Path], list[str]]
    send: Sender = send_association


def ours(port: int, folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.bench.receivers", "ours", str(port), str(folder)]


def raw(port: int, folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.bench.receivers", "raw", str(port), str(folder)]


def dcmtk(port: int, folder: Path) -> list[str]:
    return [shutil.which("storescp") or "storescp", "--fork", "-od", str(folder), str(port)]


def pynetdicom(port: int, folder: Path) -> list[str]:
    module = [sys.executable, "-m", "pynetdicom", "storescp", str(port)]
    return [*module, "-od", str(folder), "-q"]


RIVALS = [
    Rival("raw TCP to file", raw, send_raw),
    Rival("pacs-ai", ours),
    Rival("DCMTK storescp", dcmtk),
    Rival("pynetdicom storescp", pynetdicom),
]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def usage(pid: int) -> tuple[float, float]:
    """Return CPU seconds used and the largest resident set in MB; ended children count, too."""
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = sum(int(value) for value in stat[11:15])
    status = Path(f"/proc/{pid}/status").read_text()
    return ticks / os.sysconf("SC_CLK_TCK"), int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(rival: Rival, load: Load, folder: Path, pixels: bytes) -> Round:
    """Have one receiver take a load once."""
    port, target = free_port(), Path(tempfile.mkdtemp(dir=folder))
    environment = {**os.environ, "TCP_NODELAY": "1"}
    process = subprocess.Popen(
        rival.command(port, target), env=environment, stdout=subprocess.DEVNULL, stderr=-3
    )
    try:
        wait_for(port)
        cpu_before, _ = usage(process.pid)
        start = time.perf_counter()
        run(rival.send, port, load, pixels)
        seconds = time.perf_counter() - start
        cpu, peak = usage(process.pid)
        instances = load.associations * load.instances
        return Round(instances / seconds, (cpu - cpu_before) / instances * 1000, peak)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(target)


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            connect(port).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            time.sleep(0.2)
            return
    raise TimeoutError("the receiver does not listen")


def run(send: Sender, port: int, load: Load, pixels: bytes) -> None:
    """Send a load, as many associations at once as it says."""
    waiting = list(range(load.associations))
    failures: list[Exception] = []

    def work() -> None:
        while waiting:
            try:
                number = waiting.pop()
            except IndexError:
                return
            try:
                send(port, load, number * load.instances, pixels)
            except OSError as error:
                failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(load.at_once)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))  # noqa: S108
    parser.add_argument("--loads", default="", help="parts of their names, with commas")
    parser.add_argument("--rivals", default="", help="parts of their names, with commas")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    wanted = [one for one in LOADS if any(part in one.name for part in options.loads.split(","))]
    rivals = [one for one in RIVALS if any(part in one.name for part in options.rivals.split(","))]
    pixels = os.urandom(1 << 20)
    table = {
        load.name: compare(load, rivals, options.rounds, options.folder, pixels) for load in wanted
    }
    if options.json:
        options.json.write_text(json.dumps(table, indent=2))


def fit_for_pynetdicom(load: Load) -> bool:
    """It rejects an eleventh association, and needs several times an instance's size in memory."""
    return load.at_once <= 10 and load.size < 100_000_000


def compare(
    load: Load, rivals: list[Rival], rounds: int, folder: Path, pixels: bytes
) -> dict[str, dict[str, float]]:
    """Interleave the rivals' rounds and print their medians."""
    rounds_of: dict[str, list[Round]] = {rival.name: [] for rival in rivals}
    for _ in range(rounds):
        for rival in rivals:
            if rival.name.startswith("pynetdicom") and not fit_for_pynetdicom(load):
                continue
            rounds_of[rival.name].append(measure(rival, load, folder, pixels))
    say(f"\n{load.name} ({rounds} rounds)")
    result = {}
    for name, measured in rounds_of.items():
        if not measured:
            continue
        rates = [one.rate for one in measured]
        rate = statistics.median(rates)
        cpu = statistics.median(one.cpu_ms for one in measured)
        peak = max(one.peak_mb for one in measured)
        result[name] = {"per_second": rate, "cpu_ms": cpu, "peak_mb": peak}
        spread = f"[{min(rates):.1f} - {max(rates):.1f}]"
        speed = f"{rate:9.2f}/s {spread:20} {rate * load.size / 1e6:6.0f} MB/s"
        say(f"  {name:20} {speed} {cpu:8.2f} ms CPU {peak:5.0f} MB")
    base = result.get("pacs-ai")
    if base:
        ratios = [
            f"{base['per_second'] / other['per_second']:.2f} x {name}"
            for name, other in result.items()
            if name != "pacs-ai"
        ]
        say("  pacs-ai is " + ", ".join(ratios))
    return result


if __name__ == "__main__":
    main()
