"""Receive rates of the node and of other programs, on one machine, in one run.

Usage: ``python -m tests.bench.receive [--rounds 5] [--loads one,...] [--old CHECKOUT] [--write]``

Rounds are interleaved, so that what else the machine does meets all alike; medians count. Before
a round each receiver takes a small association, so that nobody is measured while it warms up.
``--write`` puts the figures into docs/performance.md.
"""

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.bench import report
from tests.bench.beside import beside
from tests.bench.figures import Figures, Round, summary
from tests.bench.loads import CASES, MEMORY, Case
from tests.bench.programs import OURS, Program, running
from tests.bench.sender import PIECE, Load, Material, drip
from tests.bench.states import old_checkout


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


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


def measure(program: Program, load: Load, folder: Path | None, material: Material) -> Round:
    """Have one receiver take a load once.

    The disk has forgotten its files before this returns: file systems free what was deleted later,
    and the flushes of the next receiver would wait for that.
    """
    target = Path(tempfile.mkdtemp(dir=folder))
    try:
        with running(program, target) as (pid, port):
            program.send(port, replace(load, instances=2, size=20_000), material)
            provide(load.total * load.size)
            with dripping(port, material) if program.slow else nothing():
                cpu_before, _ = usage(pid)
                start = time.perf_counter()
                send(program, port, load, material)
                seconds = time.perf_counter() - start
            cpu, peak = usage(pid)
    finally:
        shutil.rmtree(target)
        os.sync()
    return Round(load.total / seconds, (cpu - cpu_before) / load.total * 1000, peak)


def provide(size: int) -> None:
    """Have memory for so many bytes at hand: written once and free again.

    On a virtual machine the host provides memory at its first use and takes back what has been
    free for a while. That costs more than to receive into it, and whoever starts slowest pays.
    """
    with (MEMORY / f"provided-{os.getpid()}").open("wb") as file:
        for _ in range(0, size, PIECE):
            file.write(bytes(PIECE))
        Path(file.name).unlink()


@contextmanager
def nothing() -> Iterator[None]:
    yield


@contextmanager
def dripping(port: int, material: Material) -> Iterator[None]:
    """Have a slow sender beside the others, which must not be refused either."""
    with beside(lambda stop: drip(port, material, stop)):
        yield


def send(program: Program, port: int, load: Load, material: Material) -> None:
    """Send a load, as many associations at once as it says."""
    waiting = list(range(load.associations))
    failures: list[OSError] = []

    def work() -> None:
        while waiting:
            try:
                waiting.pop()
            except IndexError:
                return
            try:
                program.send(port, load, material)
            except OSError as error:
                failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(load.at_once)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]


def compare(case: Case, rounds: int, material: Material, old: Path | None) -> dict[str, Figures]:
    """Interleave the programs' rounds and print their medians."""
    contestants = case.contestants(old)
    rounds_of: dict[str, list[Round]] = {name: [] for name in contestants}
    for number in range(rounds):
        turns = list(contestants.items())
        for name, program in turns if number % 2 else reversed(turns):
            rounds_of[name].append(measure(program, case.load, case.folder, material))
    say(f"\n{case.load.name} ({rounds} rounds)")
    figures = {name: summary(measured) for name, measured in rounds_of.items()}
    for name, one in figures.items():
        spread = f"[{one.slowest:.1f} - {one.fastest:.1f}]"
        speed = f"{one.rate:9.2f}/s {spread:20} {one.rate * case.load.size / 1e6:6.0f} MB/s"
        ratio = figures[OURS].rate / one.rate
        say(f"  {name:28} {speed} {one.cpu_ms:8.2f} ms CPU {one.peak_mb:5.0f} MB {ratio:6.2f}")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loads", default="", help="parts of their names, with commas")
    parser.add_argument("--write", action="store_true", help="renew docs/performance.md")
    parser.add_argument("--old", type=Path, help="a checkout of the earlier state")
    options = parser.parse_args()
    wanted = [
        case for case in CASES if any(part in case.load.name for part in options.loads.split(","))
    ]
    material = Material()
    with old_checkout(options.old) as old:
        figures = [(case, compare(case, options.rounds, material, old)) for case in wanted]
    if options.write:
        report.write("receive", report.receiving(figures, options.rounds))


if __name__ == "__main__":
    main()
