"""What the commands say of a peer that is a folder."""

import sys
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from pacs_ai.cli import run

CONFIG = '[peers.watched]\nkind = "folder"\npath = "results"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the configuration in force; it is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    (tmp_path / "pacs-ai.toml").write_text(CONFIG)
    return tmp_path / "results"


def test_a_folder_that_can_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir()
    assert run(["config", "check"]) == 0
    assert run(["echo", "watched"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.endswith(f"{folder} can be written\n")


def test_a_folder_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check"]) == 0
    assert f"WARNING: {folder} is not there" in capsys.readouterr().err
    assert run(["echo", "watched"]) == 3
    assert "FOLDER_UNAVAILABLE" in capsys.readouterr().err
    assert not folder.exists()


def test_what_only_dicom_nodes_can_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir()
    assert run(["send", "watched", str(get_testdata_file("CT_small.dcm"))]) == 2
    assert "peers.watched is no DICOM node" in capsys.readouterr().err
    assert list(folder.iterdir()) == []
