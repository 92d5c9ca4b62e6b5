"""How fast the node is here: figures to compare with those of the same machine at another time.

``make bench`` prints them and writes ``test-output/bench.json``. Nothing is judged.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from pacs_ai.net.scu.client import PeerAddress, store
from tests.archive import archive
from tests.node import Node, node, wait_for

pytestmark = [pytest.mark.bench, pytest.mark.slow]

INSTANCES = 300
STUDIES = 10

EXTRA = """
[peers.archive]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {port}
[[rules]]
name = "all"
model = "demo"
send_to = ["archive"]
"""


def keep(root: Path, **figures: float) -> None:
    """Print figures and add them to the file."""
    path = root / "test-output" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    known = json.loads(path.read_text()) if path.exists() else {}
    rounded = {name: round(value, 3) for name, value in figures.items()}
    path.write_text(json.dumps({**known, **rounded}, indent=2) + "\n")
    sys.stdout.write(f"\n{rounded}\n")


def write_studies(folder: Path, studies: int, images: int) -> list[Path]:
    """CT studies, each with so many different images of 512 x 512 pixels."""
    source = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    source.Rows = source.Columns = 512
    source.PixelData = source.PixelData * 16
    paths = []
    for number in range(studies):
        source.StudyInstanceUID, source.SeriesInstanceUID = generate_uid(), generate_uid()
        for image in range(images):
            source.InstanceNumber = str(image + 1)
            source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            paths.append(folder / f"{number}-{image}.dcm")
            source.save_as(paths[-1])
    return paths


def resident_mb(one: Node) -> float:
    assert one.process is not None
    status = Path(f"/proc/{one.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_receiving(root: Path, tmp_path: Path, free_port: Callable[[], int]) -> None:
    paths = write_studies(tmp_path, 1, INSTANCES)
    with node(tmp_path / "node", free_port(), quiet=60) as one:
        one.start()
        start = time.perf_counter()
        outcomes = store(PeerAddress("AI_NODE", "127.0.0.1", one.port), "BENCH", paths)
        seconds = time.perf_counter() - start
        assert [outcome.status for outcome in outcomes] == [0] * INSTANCES
        keep(root, received_per_second=INSTANCES / seconds, listener_mb=resident_mb(one))


def test_from_the_last_image_to_the_delivered_report(
    root: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    paths = write_studies(tmp_path, STUDIES, 1)
    ports = free_port(), free_port()
    extra = EXTRA.format(port=ports[1])
    with archive(ports[1], ports[0]) as peer, node(tmp_path / "node", ports[0], extra=extra) as one:
        one.start()
        peer_address = PeerAddress("AI_NODE", "127.0.0.1", one.port)
        seconds = []
        for number, path in enumerate(paths, start=1):
            store(peer_address, "BENCH", [path])
            start = time.perf_counter()
            wait_for(lambda wanted=2 * number: len(peer.stored) >= wanted)  # type: ignore[misc]
            seconds.append(time.perf_counter() - start)
        # the first one waits for the worker to load its model
        keep(
            root, first_report_seconds=seconds[0], report_seconds=sorted(seconds)[len(seconds) // 2]
        )
