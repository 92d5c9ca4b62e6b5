"""Lists of series: manifests of the archive, and plain lists."""

from pathlib import Path

import pytest

from pacs_ai.errors import DataError
from training.download.manifest import read_manifest


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
