"""Downloads from a server that fails in every way the real one is known to."""

import csv
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_ai.dicom.header import read_header
from pacs_ai.errors import DataError, NoSpace, PacsAIError, PeerError, PeerUnreachable
from pacs_ai.phantom import write_phantom_study
from tests.ports import free_port
from tests.training.nbia_server import COLLECTION, FAULTS, NbiaServer, manifest, serving
from training.download import Nbia, Progress, fetch
from training.download.http import RetryPolicy
from training.download.manifest import read_manifest
from training.download.transfer import PARTS, RECORD, Fetched

IMPATIENT = RetryPolicy(
    attempts=4, first=0.01, longest=0.02, timeout=5, stall=0.3, stall_bytes=4096
)
SILENT = Progress(lambda *_: None, lambda _: None, lambda _: None)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for index, modality in enumerate(("CT", "MR", "CT", "CR")):
        write_phantom_study(
            folder / str(index), modality, 70 + index, lesion=bool(index % 2), slices=4, columns=64
        )
    return folder


@pytest.fixture
def server(tree: Path) -> Iterator[NbiaServer]:
    with serving(tree) as running:
        yield running


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


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def images_asked(server: NbiaServer) -> Counter[str]:
    asked = {uid: n for (call, uid), n in server.asked.items() if call.startswith("getImage")}
    return Counter(asked)


def test_a_collection_arrives_whole_and_nothing_is_asked_twice(
    server: NbiaServer, tmp_path: Path
) -> None:
    fetched = download(server, tmp_path)
    check_whole(server, tmp_path)
    assert fetched.images == 13
    assert fetched.new_series == 4
    again = download(server, tmp_path)
    assert again.new_series == again.new_bytes == 0
    assert again.bytes == fetched.bytes
    assert set(images_asked(server).values()) == {1}


def test_licence_and_citation_are_written_down(server: NbiaServer, tmp_path: Path) -> None:
    download(server, tmp_path)
    (summary,) = json.loads((tmp_path / "licences.json").read_text())
    assert summary["licence"].startswith("Creative Commons Attribution 4.0")
    assert summary["cite"] == "https://doi.org/10.0000/phantom"
    assert summary["series"] == 4
    with (tmp_path / "licences.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["SeriesInstanceUID"] for row in rows} == server.series.keys()
    assert "PHANTOM-CT" not in (tmp_path / "licences.csv").read_text()


@pytest.mark.parametrize("fault", [f for f in FAULTS if f not in ("refuse", "traversal")])
def test_a_fault_that_passes_is_overcome(server: NbiaServer, tmp_path: Path, fault: str) -> None:
    victim = next(iter(server.series))
    server.faults[victim] = [fault, fault]
    download(server, tmp_path)
    check_whole(server, tmp_path)
    assert images_asked(server)[victim] == 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("empty", "the answer is empty"),
        ("refuse", "not public"),
        ("error", "HTTP status 500"),
        ("busy", "HTTP status 429"),
        ("cut", "broke off"),
        ("short", "3 of 4 images"),
        ("wrong-md5", "1 images do not have the MD5"),
        ("html", "a web page arrived"),
        ("drip", "bytes arrived in"),
        ("traversal", "leads out of the folder"),
        ("duplicate", "1 of 4 images arrived twice"),
        ("licence-only", "only a licence"),
        ("foreign", "another series"),
        ("not-dicom", "is not DICOM"),
        ("damaged", "damaged"),
    ],
)
def test_a_fault_that_stays_costs_one_series_and_says_why(
    server: NbiaServer, tmp_path: Path, fault: str, said: str
) -> None:
    victim = next(iter(server.series))
    server.always[victim] = fault
    with pytest.raises(PeerError, match="1 of 4 series did not arrive") as caught:
        download(server, tmp_path)
    assert said in caught.value.message
    assert caught.value.exit_code == 3
    assert not (tmp_path / victim).exists()
    assert not list(tmp_path.parent.glob("x.dcm"))
    del server.always[victim]
    download(server, tmp_path)
    check_whole(server, tmp_path)


def test_the_server_is_given_the_time_it_asks_for(server: NbiaServer, tmp_path: Path) -> None:
    server.faults[next(iter(server.series))] = ["busy"]
    start = time.monotonic()
    download(server, tmp_path)
    assert time.monotonic() - start >= 1.0


def test_version_1_does_where_version_4_is_gone(server: NbiaServer, tmp_path: Path) -> None:
    server.gone = {"v4"}
    download(server, tmp_path)
    check_whole(server, tmp_path)
    (summary,) = json.loads((tmp_path / "licences.json").read_text())
    assert summary["cite"] == "https://doi.org/10.0000/phantom"
    server.gone = {"v1", "v4"}
    with pytest.raises(PeerError, match="up to /services"):
        download(server, tmp_path / "other")


@pytest.mark.parametrize("fault", ["error", "busy", "html"])
def test_queries_are_tried_again(server: NbiaServer, tmp_path: Path, fault: str) -> None:
    server.broken_calls["getSeries"] = [fault]
    download(server, tmp_path)
    check_whole(server, tmp_path)


def test_an_unknown_collection_is_named_with_what_is_near(
    server: NbiaServer, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=f"'phantom-dx'.* Is it {COLLECTION}"):
        download(server, tmp_path, "phantom-dx")


def test_series_and_manifests_are_looked_up(server: NbiaServer, tmp_path: Path) -> None:
    first, second, *_ = server.series
    download(server, tmp_path / "a", first)
    assert {path.name for path in (tmp_path / "a").iterdir() if path.is_dir()} == {first}
    cart = tmp_path / "cart.tcia"
    cart.write_bytes(manifest([first, second, first], server.url).replace("\n", "\r\n").encode())
    assert download(server, tmp_path / "b", str(cart)).new_series == 2
    with pytest.raises(DataError, match="1 series are not at"):
        download(server, tmp_path / "c", "1.2.3.4")


def test_conditions_and_limit_narrow_what_is_fetched(server: NbiaServer, tmp_path: Path) -> None:
    found = download(server, tmp_path / "a", conditions={"Modality": ("CT", "X*")})
    assert {series.modality for series in found.series} == {"CT"}
    assert len(found.series) == 2
    one = download(server, tmp_path / "b", limit=1)
    assert one.series == download(server, tmp_path / "c", limit=1).series
    assert len({series.patient for series in one.series}) == 1
    with pytest.raises(DataError, match="the columns are"):
        download(server, tmp_path / "d", conditions={"Modality": "US"})


def test_a_series_that_changed_meanwhile_is_accepted_as_it_is_now(
    server: NbiaServer, tmp_path: Path
) -> None:
    victim = next(iter(server.series.values()))
    source = Nbia(server.url, IMPATIENT)
    listed = source.collection(COLLECTION)
    victim.instances.pop()
    victim.row["ImageCount"] = len(victim.instances)
    (tmp_path / "x").mkdir()
    before = next(series for series in listed if series.uid == victim.row["SeriesInstanceUID"])
    assert len(source.fetch(before, tmp_path / "x", lambda _: None)) == 3
    source.close()


def test_an_unreachable_server_ends_at_once(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/services"
    with pytest.raises(PeerUnreachable, match="no connection, 4 times") as caught:
        fetch([COLLECTION], tmp_path, Nbia(url, IMPATIENT), SILENT)
    assert caught.value.exit_code == 3


def test_too_little_room_is_said_before_anything_is_fetched(
    server: NbiaServer, tmp_path: Path
) -> None:
    next(iter(server.series.values())).row["FileSize"] = 1 << 60
    with pytest.raises(NoSpace, match="free some"):
        download(server, tmp_path)
    assert not images_asked(server)


def test_a_disk_that_fills_up_ends_it_and_keeps_what_is_whole(
    server: NbiaServer, tmp_path: Path
) -> None:
    # A file over the limit fails with EFBIG as a full disk does with ENOSPC, at the same place.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(int(series.row["FileSize"]) for series in server.series.values())
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 2, hard))
    try:
        with pytest.raises(PacsAIError, match=r"cannot be written|is full"):
            download(server, tmp_path, threads=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    for uid in server.series:
        assert not (tmp_path / uid).exists() or (tmp_path / uid / RECORD).exists()
    download(server, tmp_path)
    check_whole(server, tmp_path)


def test_a_file_that_was_lost_or_cut_is_fetched_again(server: NbiaServer, tmp_path: Path) -> None:
    download(server, tmp_path)
    first, second, *_ = server.series
    min((tmp_path / first).glob("*.dcm")).unlink()
    os.truncate(min((tmp_path / second).glob("*.dcm")), 100)
    assert download(server, tmp_path).new_series == 2
    check_whole(server, tmp_path)


@pytest.mark.crash
def test_killed_ten_times_every_byte_is_there_and_nothing_whole_is_fetched_twice(
    tmp_path: Path, root: Path
) -> None:
    tree = tmp_path / "tree"
    for index in range(16):
        write_phantom_study(tree / str(index), "CT", index, lesion=True, slices=4, columns=128)
    script = (
        "import sys; from pathlib import Path; from training.download import *;"
        "quiet = Progress(lambda *_: None, lambda _: None, lambda _: None);"
        f"fetch(['{COLLECTION}'], Path(sys.argv[2]), Nbia(sys.argv[1]), quiet, threads=2)"
    )
    out = tmp_path / "out"
    with serving(tree) as server:
        server.pace = 0.03  # a series takes a quarter of a second
        for kill in range(10):
            process = subprocess.Popen([sys.executable, "-c", script, server.url, out], cwd=root)
            while len(whole_series(out)) <= kill and process.poll() is None:
                time.sleep(0.005)
            assert process.poll() is None, "it was over before it was killed"
            process.kill()
            process.wait()
        whole, asked = whole_series(out), images_asked(server)
        subprocess.run([sys.executable, "-c", script, server.url, out], cwd=root, check=True)
        check_whole(server, out)
        assert 10 <= len(whole) < 16
        assert all(images_asked(server)[uid] == asked[uid] for uid in whole)
        # Two at a time were on their way when the process was killed: no other arrived twice.
        assert sum(images_asked(server).values()) <= 16 + 2 * 10


def whole_series(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.glob(f"[!.]*/{RECORD}")}


@pytest.mark.parametrize(
    ("text", "uids"),
    [
        ("1.2.3\n\n1.2.4\r\n1.2.3\n", ["1.2.3", "1.2.4"]),
        ("a=b\nListOfSeriesToDownload=\nsome|1.2.5|x\n", ["1.2.5"]),
    ],
)
def test_manifests_of_all_kinds_are_read(tmp_path: Path, text: str, uids: list[str]) -> None:
    path = tmp_path / "cart.tcia"
    path.write_text(text)
    assert read_manifest(path) == uids


@pytest.mark.parametrize(
    ("text", "said"), [("a=b\n", "lists no series"), ("1.2\n../../etc\n", "line 2")]
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cart.tcia"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_manifest(path)


def test_what_came_can_be_read(server: NbiaServer, tmp_path: Path) -> None:
    download(server, tmp_path)
    for path in tmp_path.rglob("*.dcm"):
        assert read_header(path).series_instance_uid == path.parent.name
