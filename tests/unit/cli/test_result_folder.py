"""A disk that fills while a result is written: nothing half is left."""

import resource
from pathlib import Path

import pytest

from pacs_ai.cli.result_folder import ResultFolder
from pacs_ai.domain import ResultKind
from pacs_ai.errors import StorageError
from pacs_ai.results.build import BuiltDocument


def test_what_cannot_be_written_whole_is_not_there(tmp_path: Path) -> None:
    result = BuiltDocument(ResultKind.HL7, 1, b"MSH|" * 4096, ".hl7", "1.2.3.4")
    folder = ResultFolder(tmp_path, "study")
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StorageError):
            folder.write(result)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "study").iterdir()) == []
    assert Path(folder.write(result)).read_bytes() == result.content
