"""Downloads from the server that stands in for NBIA, and what has to be on disk afterwards."""

import hashlib
import json
from collections import Counter
from pathlib import Path

from tests.training.nbia_server import COLLECTION, NbiaServer
from training.download import Nbia, Progress, fetch
from training.download.http import RetryPolicy
from training.download.transfer import PARTS, RECORD, Fetched

IMPATIENT = RetryPolicy(
    attempts=4, first=0.01, longest=0.02, timeout=5, stall=0.3, stall_bytes=4096
)
SILENT = Progress(lambda *_: None, lambda _: None, lambda _: None)


def download(server: NbiaServer, folder: Path, *wanted: str, **more: object) -> Fetched:
    source = Nbia(server.url, IMPATIENT)
    try:
        return fetch(wanted or (COLLECTION,), folder, source, SILENT, **more)
    finally:
        source.close()


def check_whole(server: NbiaServer, folder: Path) -> None:
    """Compare every byte with what the server has, and see that nothing else is there."""
    for uid, series in server.series.items():
        stored = Counter(sha256(each.path) for each in series.instances)
        files = list((folder / uid).glob("*.dcm"))
        assert Counter(map(sha256, files)) == stored
        record = json.loads((folder / uid / RECORD).read_text())
        assert {f["name"]: f["md5"] for f in record["files"]} == {
            path.name: hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            for path in files
        }
    assert not (folder / PARTS).exists()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def images_asked(server: NbiaServer) -> Counter[str]:
    asked = {uid: n for (call, uid), n in server.asked.items() if call.startswith("getImage")}
    return Counter(asked)
