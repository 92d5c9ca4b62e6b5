"""echo, send and commit against real listeners: the exit code says what happened."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from pacs_ai.cli import run
from pacs_ai.cli.peers import find_peer, show
from pacs_ai.config import Config, DimsePeer
from pacs_ai.demo.archive import AE_TITLE, Archive
from pacs_ai.errors import ConfigError
from pacs_ai.net.scp.handlers import ReceivedInstance, StoreAnswer
from pacs_ai.net.scp.server import ServerSettings, StorageServer

pytestmark = pytest.mark.integration


class Stubborn(Archive):
    """Keeps CT, refuses all else for what it is."""

    def store(self, received: ReceivedInstance) -> StoreAnswer:
        if received.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2":
            return super().store(received)
        self.discard(received.file)
        return StoreAnswer(0xA900, "not mine")


@contextlib.contextmanager
def listening(archive: Archive) -> Iterator[int]:
    server = StorageServer(ServerSettings((AE_TITLE,), port=0), archive, archive)
    server.start()
    try:
        yield server.port
    finally:
        server.stop(1)


def sample(name: str) -> str:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return path


@pytest.fixture(autouse=True)
def _no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[str]:
    with listening(Stubborn(tmp_path / "archive")) as port:
        yield f"{AE_TITLE}@127.0.0.1:{port}"


def test_echo(peer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["echo", peer]) == 0
    assert capsys.readouterr().out.startswith(f"{peer} answers, ")


def test_echo_under_a_wrong_name(peer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["echo", "WRONG" + peer.removeprefix(AE_TITLE)]) == 3
    # the archive of this test warns on the same stream, unless it did so a moment ago
    assert "pacs-ai: ASSOCIATION_REJECTED: WRONG at " in capsys.readouterr().err


def test_nobody_there(free_port: Callable[[], int], capsys: pytest.CaptureFixture[str]) -> None:
    address = f"X@127.0.0.1:{free_port()}"
    for words in (["echo", address], ["send", address, sample("CT_small.dcm")]):
        assert run(words) == 3
        assert capsys.readouterr().err.startswith("pacs-ai: PEER_UNREACHABLE: ")


def test_send_and_ask_for_commitment(
    peer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["send", peer, sample("CT_small.dcm"), "--commit"]) == 0
    out = capsys.readouterr().out
    assert f"1 of 1 stored at {peer}" in out
    assert "1 of 1 committed" in out
    assert len(list((tmp_path / "archive").glob("*/*.dcm"))) == 1


def test_what_is_refused_is_named_and_the_rest_goes_on(
    peer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["send", peer, sample("MR_small.dcm"), sample("CT_small.dcm")]) == 4
    said = capsys.readouterr()
    assert f"{sample('MR_small.dcm')}: ARCHIVE: C-STORE answered 0xA900" in said.out
    assert "1 of 2 stored" in said.out
    assert said.err.startswith("pacs-ai: STORE_REFUSED: 1 of 2 refused")
    assert len(list((tmp_path / "archive").glob("*/*.dcm"))) == 1


def test_no_dicom_to_send(peer: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    assert run(["send", peer, str(tmp_path / "x.txt")]) == 4
    assert run(["send", peer, str(tmp_path / "absent")]) == 2


def test_sending_from_several_threads_keeps_files_apart(peer: str, tmp_path: Path) -> None:
    names = ["CT_small.dcm", "J2K_pixelrep_mismatch.dcm"]
    threads = [threading.Thread(target=run, args=(["send", peer, sample(name)],)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not list((tmp_path / "archive" / "incoming").iterdir())


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("pacs", "PACS@10.0.0.5:104"),
        ("AET@host:11112", "AET@host:11112"),
        ("MY AET@[::1]:104", "MY AET@[::1]:104"),
    ],
)
def test_names_of_peers(name: str, address: str) -> None:
    config = Config(peers={"pacs": DimsePeer(ae_title="PACS", host="10.0.0.5", port=104)})
    assert show(find_peer(config, name)) == address


@pytest.mark.parametrize("name", ["nobody", "A@h", "@h:1", " @h:1", "A@h:65536", "A\\B@h:1", "h:1"])
def test_what_is_no_peer(name: str) -> None:
    with pytest.raises(ConfigError):
        find_peer(Config(), name)
