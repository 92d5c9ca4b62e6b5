"""Receiving while the workers are busy, beside receiving while they have nothing to do.

Usage: ``python -m tests.bench.busy [--minutes 10] [--phases 4] [--per-hour 300] [--write]``

Both get the same studies at the same rate: by turns a CT study of 500 slices and a radiograph of
15 MB, each while the CT study that came a second before it is analysed. What is idle is the same
node with ``--no-workers``. Phases take turns, so that what else the machine does meets both.
"""

import argparse
import statistics
import struct
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from tests import net_peer as net
from tests.bench import report
from tests.bench.programs import Program, running
from tests.bench.receive import usage
from tests.bench.sender import TITLE, Material, answer, associate, send_message
from tests.unit.results.samples import ct_slice, radiograph

FILLER, SLICES, SIDE, LARGE_SIDE = 200, 500, 512, 2740
LEAD_SECONDS = 1.0
"""The worker has begun with the study before: it has read its headers and decodes."""
IDLE, BUSY = "workers idle", "workers busy"
CT, DX = f"CT, {SLICES} slices", "radiograph of 15 MB"
CONFIG = """
[node]
ae_title = "{title}"
port = {port}
[storage]
min_free_gb = 0
[log]
level = "WARNING"
[study]
release_seconds = 0
[peers.folder]
kind = "folder"
path = "{folder}"
[models.demo]
bundle = "demo"
[[rules]]
name = "all"
model = "demo"
send_to = ["folder"]
"""


@dataclass
class Phase:
    """Megabytes a second of each study by kind, what was refused, and the processor of workers."""

    rates: dict[str, list[float]] = field(default_factory=lambda: {CT: [], DX: []})
    refused: int = 0
    worked: list[float] = field(default_factory=list)


def node(*options: str) -> Program:
    def command(port: int, folder: Path) -> list[str]:
        results = folder / "results"
        results.mkdir()
        config = folder / "pacs-ai.toml"
        config.write_text(CONFIG.format(title=TITLE, port=port, folder=results), "utf-8")
        return [sys.executable, "-m", "pacs_ai", "listen", *options, "--config", str(config)]

    return Program(" ".join(options), command)


PROGRAMS = {IDLE: node("--no-workers"), BUSY: node()}


@dataclass(frozen=True)
class Prepared:
    """A study to send: each instance's command, and its data set up to the value of its pixels."""

    sop_class: str
    instances: list[tuple[bytes, bytes]]
    size: int

    @property
    def total(self) -> int:
        """Bytes of all pixels."""
        return self.size * len(self.instances)


def prepared(kind: str, slices: int, material: Material) -> Prepared:
    """Encode a study, so that its sender has nothing else to do than to send."""
    study, side = material.uid(), LARGE_SIDE if kind == DX else SIDE
    instances, size = [], 2 * side * side
    for number in range(1, slices + 1):
        uids = {"SOPInstanceUID": material.uid(), "StudyInstanceUID": study}
        uids["SeriesInstanceUID"] = f"{study}.1"
        made = (radiograph if kind == DX else ct_slice)(number, Rows=side, Columns=side, **uids)
        del made.PixelData
        head = DicomBytesIO()
        head.is_little_endian = head.is_implicit_VR = True
        write_dataset(head, made)
        pixels = struct.pack("<HHL", 0x7FE0, 0x0010, size)
        command = net.store_command(uids["SOPInstanceUID"], made.SOPClassUID)
        instances.append((command, head.getvalue() + pixels))
    return Prepared(str(made.SOPClassUID), instances, size)


def send(port: int, study: Prepared, pixels: bytes) -> None:
    """Send a study on one association."""
    sock, step = associate(port, study.sop_class)
    with sock:
        for command, head in study.instances:
            send_message(sock, command, head, study.size, pixels, step)
        sock.sendall(net.pdu(5, bytes(4)))
        answer(sock)


def measure(name: str, seconds: float, interval: float, pixels: bytes) -> Phase:
    """Send for some time to a node that is started for it."""
    phase, material, kinds = Phase(), Material(), [CT, DX]
    end = time.monotonic() + seconds
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        running(PROGRAMS[name], Path(folder)) as (pid, port),
    ):
        while time.monotonic() < end:
            due = time.monotonic() + interval
            kinds.reverse()
            filler = prepared(CT, FILLER, material)
            study = prepared(kinds[0], SLICES if kinds[0] == CT else 1, material)
            try:
                send(port, filler, pixels)
                time.sleep(LEAD_SECONDS)
                before, start = usage(pid)[0], time.perf_counter()
                send(port, study, pixels)
            except ConnectionError:
                phase.refused += 1
                continue
            taken = time.perf_counter() - start
            phase.rates[kinds[0]].append(study.total / taken / 1e6)
            phase.worked.append((usage(pid)[0] - before) / taken)
            time.sleep(max(0.0, due - time.monotonic()))
    return phase


def summary(phases: dict[str, list[Phase]]) -> str:
    """The figures as a table."""
    lines = [
        "| what is received | idle, MB/s | busy, MB/s | lost | goal |",
        "|---|---|---|---|---|",
    ]
    count = 0
    for kind in (CT, DX):
        rates = [
            [rate for one in phases[name] for rate in one.rates[kind]] for name in (IDLE, BUSY)
        ]
        count += sum(map(len, rates))
        idle, busy = map(statistics.median, rates)
        lines.append(f"| {kind} | {idle:.0f} | {busy:.0f} | {1 - busy / idle:.0%} | <= 20% |")
    refused = sum(phase.refused for group in phases.values() for phase in group)
    idle, busy = (
        statistics.median(worked for one in phases[name] for worked in one.worked)
        for name in (IDLE, BUSY)
    )
    lines += [
        "",
        f"{count} studies measured; a CT study of {FILLER} slices before each; {refused} refused.",
        f"The node used {idle:.2f} cores meanwhile with workers idle, {busy:.2f} with them busy.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="of each of both")
    parser.add_argument("--phases", type=int, default=4, help="both together, by turns")
    parser.add_argument("--per-hour", type=float, default=300, help="studies")
    parser.add_argument("--write", action="store_true", help="renew docs/performance.md")
    options = parser.parse_args()
    pixels = np.random.default_rng(1).integers(0, 4000, LARGE_SIDE**2, dtype=np.uint16).tobytes()
    phases: dict[str, list[Phase]] = {IDLE: [], BUSY: []}
    seconds = 2 * 60 * options.minutes / options.phases
    for number in range(options.phases):
        name = (IDLE, BUSY, BUSY, IDLE)[number % 4]
        phases[name].append(measure(name, seconds, 2 * 3600 / options.per_hour, pixels))
    text = f"{options.minutes:g} minutes of each on {report.machine()}.\n\n{summary(phases)}"
    sys.stdout.write(f"{text}\n")
    if options.write:
        report.write("busy", text)


if __name__ == "__main__":
    main()
