"""A node and an archive for the latency bench, each a process of its own."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.latency_archive import TITLE
from tests.bench.programs import wait_for
from tests.bench.states import ROOT, environment
from tests.ports import free_port

PATIENCE = 300.0
"""Seconds after which a report is given up."""

_CONFIG = """
[node]
ae_title = "AI_NODE"
port = {port}
[storage]
min_free_gb = 0
[log]
level = "WARNING"
[study.modality.DX]
release_seconds = 0
[peers.archive]
ae_title = "{title}"
host = "127.0.0.1"
port = {archive}
[models.{model}]
bundle = "{bundle}"
[[rules]]
name = "all"
model = "{model}"
send_to = ["archive"]
"""


@dataclass
class Running:
    """One state of the node with its archive, and when each report was there."""

    name: str
    port: int
    pid: int
    folder: Path
    seen: dict[str, float] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def cpu_ms(self) -> float:
        """Return the processor's time that the node and all below it have used."""
        ticks, family = 0, [self.pid]
        for one in family:
            with suppress(OSError):
                stat = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += int(stat[11]) + int(stat[12])
                for task in Path(f"/proc/{one}/task").iterdir():
                    family += map(int, (task / "children").read_text().split())
        return 1000 * ticks / os.sysconf("SC_CLK_TCK")

    def listen(self, archive: "subprocess.Popen[str]") -> None:
        """Take down what the archive says, until it ends."""
        assert archive.stdout is not None
        for line in archive.stdout:
            moment, uid = line.split()
            with self.changed:
                self.seen.setdefault(uid, float(moment))
                self.changed.notify_all()

    def report_of(self, uid: str, seconds: float = PATIENCE) -> float:
        """Return the moment at which the archive had the report of a study."""
        with self.changed:
            if not self.changed.wait_for(lambda: uid in self.seen, seconds):
                raise TimeoutError(f"{self.name}: no report within {seconds:g} s")
            return self.seen[uid]


@contextmanager
def running(
    name: str, checkout: Path, bundle: str, folder: Path, extra: str = ""
) -> Iterator[Running]:
    """Run the node of a checkout with an archive; both listen. ``extra`` is further sections."""
    folder.mkdir(parents=True)
    port, archive_port = free_port(), free_port()
    model = Path(bundle).name
    config = folder / "pacs-ai.toml"
    config.write_text(
        _CONFIG.format(port=port, archive=archive_port, title=TITLE, model=model, bundle=bundle)
        + extra
    )
    with (folder / "log").open("wb") as log:
        archive = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.latency_archive", str(archive_port)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        node = subprocess.Popen(
            [sys.executable, "-m", "pacs_ai", "listen", "--config", str(config)],
            cwd=folder,
            env=environment(checkout),
            stdout=log,
            stderr=log,
        )
    one = Running(name, port, node.pid, folder)
    listening = threading.Thread(target=one.listen, args=(archive,), daemon=True)
    listening.start()
    try:
        wait_for(archive_port, archive)
        wait_for(port, node)
        yield one
    finally:
        for process in (node, archive):
            process.terminate()
        for process in (node, archive):
            process.wait()
        listening.join()
