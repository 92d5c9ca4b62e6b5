from pathlib import Path

import numpy as np
import pytest

from pacs_ai.errors import DataError
from tests.training.torch_files import write_torch
from training.foreign.torch_file import read_tensors


def test_tensors_are_read_without_pytorch(tmp_path: Path) -> None:
    wanted = {
        "a.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "b": np.float32([1.5, -2.0]),
    }
    write_torch(tmp_path / "w.pth", wanted)
    found = read_tensors(tmp_path / "w.pth")
    assert list(found) == list(wanted)
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize(
    "evil",
    [
        b"cos\nsystem\n(X\x0e\x00\x00\x00touch executedtR0",  # REDUCE of a function
        b"(X\x0e\x00\x00\x00touch executedios\nsystem\n0",  # INST
        b"(cos\nsystem\nX\x0e\x00\x00\x00touch executedo0",  # OBJ
        b"cos\nsystem\n)\x810",  # NEWOBJ
        b"ccollections\nOrderedDict\n(NtR0",  # an allowed name with other arguments
    ],
)
def test_a_file_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evil: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    write_torch(tmp_path / "w.pth", {"a": np.ones(2, np.float32)}, evil=evil)
    with pytest.raises(DataError, match="not allowed"):
        read_tensors(tmp_path / "w.pth")
    assert not (tmp_path / "executed").exists()


def test_damaged_files_are_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    write_torch(path, {"a": np.ones((3, 5), np.float32), "b": np.ones(2, np.float32)})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"w\.pth"):
            read_tensors(path)
    at = whole.index(b"J\x0f\x00\x00\x00") + 1  # the size of the storage of a
    path.write_bytes(whole[:at] + b"\x02" + whole[at + 1 :])
    with pytest.raises(DataError, match="incomplete"):
        read_tensors(path)
    path.write_bytes(b"PK\x03\x04" + bytes(100))  # the form of later versions
    with pytest.raises(DataError, match="legacy"):
        read_tensors(path)


def test_a_tensor_outside_of_its_storage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    write_torch(path, {"a": np.ones((3, 5), np.float32)})
    whole = path.read_bytes()
    shape = b"(J\x03\x00\x00\x00J\x05\x00\x00\x00t"
    assert shape in whole
    path.write_bytes(whole.replace(shape, b"(J\x04\x00\x00\x00J\x05\x00\x00\x00t"))
    with pytest.raises(DataError, match="outside"):
        read_tensors(path)
