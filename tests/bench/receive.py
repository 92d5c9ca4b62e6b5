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
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.sender import Load, Sender, connect, send_association, send_raw

LOADS = [
    Load("300 CT of 0.5 MB, one association", 1, 300, 530_000),
    Load("200 associations of one image", 200, 1, 20_000),
    Load("16 associations at once, 25 CT each", 16, 25, 530_000, 16),
    Load("20 instances of 15 MB", 1, 20, 15_000_000),
    Load("one instance of 2 GB", 1, 1, 2_000_000_000),
]


@dataclass(frozen=True)
class Round:
    """Instances a second, milliseconds of CPU an instance, and peak memory in MB."""

    rate: float
    cpu_ms: float
    peak_mb: float


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
    """Return CPU seconds used and the largest resident set in MB, of a process and its children.

    Those that have ended are in their parent's account; a forked receiver may still run.
    """
    ticks, peak = 0, 0
    running = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (str(pid), *running):
        try:
            stat = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            status = Path(f"/proc/{one}/status").read_text()
        except FileNotFoundError:
            continue
        ticks += sum(int(value) for value in stat[11:15])
        if "VmHWM:" in status:
            peak = max(peak, int(status.split("VmHWM:")[1].split()[0]))
    return ticks / os.sysconf("SC_CLK_TCK"), peak / 1024


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
    for _ in range(1200):
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
