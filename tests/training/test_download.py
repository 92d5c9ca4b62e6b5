"""Downloads: what arrives, what is looked up, and disks that are full."""

import csv
import json
import os
import resource
import signal
from pathlib import Path

import pytest

from pacs_ai.dicom.header import read_header
from pacs_ai.errors import DataError, NoSpace, PacsAIError
from tests.training.downloading import check_whole, download, images_asked
from tests.training.nbia_server import COLLECTION, NbiaServer, manifest
from training.download.transfer import RECORD


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


def test_what_came_can_be_read(server: NbiaServer, tmp_path: Path) -> None:
    download(server, tmp_path)
    for path in tmp_path.rglob("*.dcm"):
        assert read_header(path).series_instance_uid == path.parent.name
