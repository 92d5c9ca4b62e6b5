"""Downloads from a server that fails in every way the real one is known to, and that are killed."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pacs_ai.errors import PeerError, PeerUnreachable
from pacs_ai.phantom import write_phantom_study
from tests.ports import free_port
from tests.training.downloading import IMPATIENT, SILENT, check_whole, download, images_asked
from tests.training.nbia_server import COLLECTION, FAULTS, NbiaServer, serving
from training.download import Nbia, fetch
from training.download.transfer import RECORD


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


def test_two_downloads_into_one_folder_wait_for_one_another(
    server: NbiaServer, tmp_path: Path
) -> None:
    """The second waits, and fetches nothing again."""
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(download, server, tmp_path) for _ in range(3)]
        fetched = [future.result() for future in futures]
    check_whole(server, tmp_path)
    assert sorted(each.new_series for each in fetched) == [0, 0, 4]
    assert set(images_asked(server).values()) == {1}
