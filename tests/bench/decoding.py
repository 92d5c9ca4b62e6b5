"""One frame of each transfer syntax from its file to grey values, old beside new.

Usage: ``python -m tests.bench.decoding [--rounds 3] [--write]``

Each side is a process of its own that reads the same file again and again. Its processor time
includes that of its decoding process; the start of both is taken off. ``PACS_AI_OLD`` names a
checkout of the earlier commit; else one is made for the run.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pydicom.encaps import encapsulate

from tests.bench.report import machine, write
from tests.bench.states import ROOT, environment, old_checkout
from tests.unit.dicom import encoders
from tests.unit.dicom.conftest import plain_dataset, save
from tests.unit.dicom.encoders import JPEG, Encode, Samples

READ = """
import sys; from pathlib import Path
from pacs_ai.dicom.pixels import read_pixels
for _ in range(int(sys.argv[2])):
    read_pixels(Path(sys.argv[1]))
"""
SYNTAXES: dict[str, tuple[str, Encode]] = {
    "uncompressed": (encoders.EXPLICIT, encoders.little),
    "RLE": (encoders.RLE, encoders.rle),
    "JPEG lossless": (f"{JPEG}70", encoders.lossless_jpeg(1)),
    "JPEG-LS": (f"{JPEG}80", encoders.jpeg_ls()),
    "JPEG 2000": (f"{JPEG}90", encoders.jpeg_2000()),
    "HTJ2K": (f"{JPEG}201", encoders.htj2k_of_any_bits),
    "JPEG XL": (f"{JPEG}110", encoders.jpeg_xl(lossless=True)),
    "JPEG extended": (f"{JPEG}51", encoders.extended),
}
SIZES = {"CT": (512, 512, 40), "DX": (2800, 2700, 4)}
"""Rows, columns, and how many times a frame is read."""
BITS = 12


def picture(rows: int, columns: int) -> Samples:
    """Smooth shapes under noise, as of an image of 12 bits."""
    y, x = np.mgrid[:rows, :columns]
    shapes = 2048 + 800 * np.sin(9 * x / columns) + 800 * np.cos(7 * y / rows)
    noise = np.random.default_rng(0).normal(0, 15, (rows, columns))
    return np.clip(shapes + noise, 0, 4095).astype("u2")


def written(path: Path, name: str, samples: Samples) -> Path:
    syntax, encode = SYNTAXES[name]
    frame = encode(samples, BITS)
    dataset = plain_dataset(
        Rows=samples.shape[0],
        Columns=samples.shape[1],
        BitsStored=BITS,
        HighBit=BITS - 1,
        PixelRepresentation=0,
        PixelData=frame if syntax == encoders.EXPLICIT else encapsulate([frame]),
    )
    return save(dataset, path, syntax)


def processor_seconds(checkout: Path, path: Path, times: int) -> float:
    """Read a file so many times; the processor time of the process and of what it started."""
    command = (sys.executable, "-c", READ, str(path), str(times))
    process = subprocess.Popen(command, env=environment(checkout), cwd=path.parent)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{checkout} cannot read {path.name}")
    return usage.ru_utime + usage.ru_stime


def milliseconds(checkout: Path, path: Path, times: int) -> float:
    more, one = (processor_seconds(checkout, path, number) for number in (1 + times, 1))
    return 1000 * (more - one) / times


def row(old: Path | None, path: Path, times: int, rounds: int) -> str:
    sides = [side for side in (old, ROOT) if side is not None]
    taken: dict[Path, list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 else reversed(sides):
            taken[side].append(milliseconds(side, path, times))
    now = statistics.median(taken[ROOT])
    if old is None:
        return f" | {now:.1f} | |"
    then = statistics.median(taken[old])
    return f"{then:.1f} | {now:.1f} | {then / now:.2f} x |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="renew docs/performance.md")
    given = parser.parse_args()
    lines = [
        "| one frame, processor time | old, ms | now, ms | ratio |",
        "|---|---|---|---|",
    ]
    with old_checkout() as old, tempfile.TemporaryDirectory() as folder:
        for size, (rows, columns, times) in SIZES.items():
            for name in SYNTAXES:
                path = written(Path(folder) / f"{size}.dcm", name, picture(rows, columns))
                figures = row(old, path, times, given.rounds)
                lines.append(f"| {size} {rows} x {columns}, {name} | {figures}")
                sys.stdout.write(f"{lines[-1]}\n")
                sys.stdout.flush()
    if given.write:
        note = f"Medians of {given.rounds} interleaved rounds on {machine()}."
        write("decoding", "\n\n".join([note, "\n".join(lines)]))


if __name__ == "__main__":
    main()
