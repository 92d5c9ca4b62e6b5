"""The second archive behind the seam: an index, and files of public buckets over real HTTP."""

import hashlib
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from pacs_ai.errors import ConfigError, DataError, PeerError
from pacs_ai.phantom import write_phantom_study
from tests.training.bucket_server import BucketServer, buckets
from tests.training.downloading import IMPATIENT, SILENT
from training.download import Idc, fetch, idc, open_source
from training.download.step import download as download_step
from training.download.transfer import PARTS, Fetched
from training.recipe.data import DicomData
from training.recipe.label_tables import PatternLabels

COLLECTION = "phantom_dx"
NEEDS_INDEX = pytest.mark.skipif(
    importlib.util.find_spec("idc_index_data") is None,
    reason="the index of the Imaging Data Commons is not installed: pip install 'pacs-ai[idc]'",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for index, modality in enumerate(("CT", "MR", "CR")):
        write_phantom_study(
            folder / str(index), modality, 90 + index, lesion=bool(index % 2), slices=4, columns=64
        )
    return folder


@pytest.fixture
def server(tree: Path) -> Iterator[BucketServer]:
    with buckets(tree, COLLECTION) as running:
        yield running


def download(server: BucketServer, folder: Path, *wanted: str, **more: object) -> Fetched:
    source = Idc(server.url, IMPATIENT, server.rows)
    try:
        return fetch(wanted or ("Phantom-DX",), folder, source, SILENT, **more)
    finally:
        source.close()


def check_whole(server: BucketServer, folder: Path) -> None:
    for uid in server.index:
        stored = {sha256(p) for (_, k), p in server.objects.items() if k in server.keys_of(uid)}
        assert {sha256(path) for path in (folder / uid).glob("*.dcm")} == stored
    assert not (folder / PARTS).exists()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_collection_arrives_whole_page_by_page_and_nothing_is_asked_twice(
    server: BucketServer, tmp_path: Path
) -> None:
    fetched = download(server, tmp_path)
    check_whole(server, tmp_path)
    assert fetched.images == len(server.objects) == 9
    assert download(server, tmp_path).new_series == 0
    assert set(server.asked.values()) == {1}
    (summary,) = json.loads((tmp_path / "licences.json").read_text())
    assert summary["licence"] == "CC BY 4.0"
    assert summary["cite"] == "https://doi.org/10.0000/phantom"


def test_series_conditions_and_limit_work_as_for_the_other_archive(
    server: BucketServer, tmp_path: Path
) -> None:
    uid = next(iter(server.index))
    assert [each.uid for each in download(server, tmp_path / "a", uid).series] == [uid]
    found = download(server, tmp_path / "b", conditions={"Modality": ("MR", "C*")}, limit=1)
    assert len(found.series) == 1
    with pytest.raises(DataError, match=r"1 series are not in the index .*--archive"):
        download(server, tmp_path / "c", "1.2.3.4")
    with pytest.raises(DataError, match="no collection other_one; a newer"):
        download(server, tmp_path / "d", "Other-One")


def test_what_others_derived_from_a_collection_is_no_part_of_it(
    server: BucketServer, tmp_path: Path
) -> None:
    uid = next(iter(server.index))
    server.index[uid]["analysis_result_id"] = "phantom_dx_boxes"
    assert uid not in {each.uid for each in download(server, tmp_path).series}


@pytest.mark.parametrize("fault", ["error", "cut", "changed"])
def test_a_fault_that_passes_costs_one_file_a_second_request(
    server: BucketServer, tmp_path: Path, fault: str
) -> None:
    victim = server.keys_of(next(iter(server.index)))[1]
    server.faults[victim] = [fault, fault]
    download(server, tmp_path)
    check_whole(server, tmp_path)
    assert server.asked == Counter(dict.fromkeys([key for _, key in server.objects], 1)) + Counter(
        {victim: 2}
    )


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("error", "HTTP status 503"),
        ("cut", "broke off"),
        ("changed", "does not have the MD5 sum"),
        ("denied", "HTTP status 403"),
    ],
)
def test_a_fault_that_stays_costs_one_series_and_says_why(
    server: BucketServer, tmp_path: Path, fault: str, said: str
) -> None:
    uid = next(iter(server.index))
    server.faults[server.keys_of(uid)[0]] = [fault] * 9
    with pytest.raises(PeerError, match="1 of 3 series did not arrive") as caught:
        download(server, tmp_path)
    assert said in caught.value.message
    assert uid in caught.value.message
    assert not (tmp_path / uid).exists()
    server.faults.clear()
    download(server, tmp_path)
    check_whole(server, tmp_path)


def test_an_etag_that_is_no_md5_sum_is_not_taken_for_one(
    server: BucketServer, tmp_path: Path
) -> None:
    server.parts = {key for _, key in server.objects}
    download(server, tmp_path)
    check_whole(server, tmp_path)


def test_a_series_that_is_not_as_the_index_says_is_refused(
    server: BucketServer, tmp_path: Path
) -> None:
    uid = next(iter(server.index))
    server.index[uid]["instanceCount"] = "5"
    with pytest.raises(PeerError, match=r"has 4 files of it, the index 5: .*too old"):
        download(server, tmp_path)


def test_a_file_of_another_series_is_refused(server: BucketServer, tmp_path: Path) -> None:
    first, second, *_ = server.index
    paths = {key: (bucket, path) for (bucket, key), path in server.objects.items()}
    key = server.keys_of(first)[0]
    server.objects[paths[key][0], key] = paths[server.keys_of(second)[0]][1]
    with pytest.raises(PeerError, match=f"series {first}: an image of another series arrived"):
        download(server, tmp_path)


def test_without_the_index_it_is_said_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigError, match=r"pip install 'pacs-ai\[train,idc\]'"):
        open_source("idc")
    data = DicomData(
        source="dicom",
        folder=tmp_path,
        collection="x",
        archive="idc",
        labels=PatternLabels(kind="patient-id", pattern="(.)"),
    )
    with pytest.raises(ConfigError, match="needs its index"):
        download_step(data, Console(quiet=True))
    with pytest.raises(ConfigError, match=r"needs \{bucket\} in it"):
        Idc("http://127.0.0.1/", index=lambda _column, _values: [])


@NEEDS_INDEX
def test_the_real_index_knows_the_collections_of_the_recipes() -> None:
    source = Idc(index=idc.installed_index())
    found = source.collection("Lung-PET-CT-Dx")
    ct = [series for series in found if series.modality == "CT"]
    assert len({series.patient for series in ct}) > 300
    assert all(series.images and series.bytes and series.licence for series in ct)
    assert all(series.facts["crdc_series_uuid"] for series in found)
    assert source.series([ct[0].uid]) == [ct[0]]
    source.close()
