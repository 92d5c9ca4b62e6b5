"""How long after its release time a radiograph is closed, and so begins.

Usage: ``python -m tests.bench.release [--studies 20] [--seconds 2]``

Each study is sent on its own association. Its release time is ``--seconds`` after that association
is released (``[study.modality.CR] release_seconds``). The node records when it closes the study.
The sender records when its release is answered. Both use the same clock.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tests.bench.latency import say
from tests.bench.latency_node import PATIENCE, running
from tests.bench.radiographs import Sender, radiograph
from tests.bench.states import ROOT

_CLOSED = "SELECT study_instance_uid, closed_at FROM study WHERE closed_at IS NOT NULL"


def closed(folder: Path) -> dict[str, datetime]:
    """Return when each study was closed that is closed by now."""
    with sqlite3.connect(f"file:{folder}/var/pacs-ai.db?mode=ro", uri=True) as database:
        rows = database.execute(_CLOSED).fetchall()
    return {uid: datetime.fromisoformat(at).replace(tzinfo=UTC) for uid, at in rows}


def main() -> None:
    """Measure, and print a line."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="pacs-ai-release-") as temporary:
        folder = Path(temporary, "node")
        dataset = radiograph(Path(temporary, "phantom"), 0)
        dataset.Modality = "CR"
        extra = f"\n[study.modality.CR]\nrelease_seconds = {options.seconds}\n"
        with running("node", ROOT, "demo", folder, extra) as one:
            sender, released = Sender(dataset), dict[str, datetime]()
            for _ in range(options.studies):
                uid, _ = sender.send(one)
                released[uid] = datetime.now(UTC)
                time.sleep(0.3)
            end = time.monotonic() + options.seconds + PATIENCE
            while len(closed(folder)) < options.studies and time.monotonic() < end:
                time.sleep(0.2)
            found = closed(folder)
    late = [
        1000 * ((found[uid] - at).total_seconds() - options.seconds)
        for uid, at in released.items()
        if uid in found
    ]
    middle, high = np.percentile(late, [50, 95])
    say(
        f"{len(late)} of {options.studies} radiographs, release_seconds = {options.seconds:g}:"
        f" begun {middle:.0f} ms after it (p50), {high:.0f} ms (p95), {max(late):.0f} ms at most"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The release time of radiographs.")
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2.0)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
