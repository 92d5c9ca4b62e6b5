"""A node that takes DICOM over TLS only, with users: every command works, nothing goes in clear."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacs_ai.net.scu.client import ClientTls, Login, PeerAddress, store
from tests.node import Node, node
from tests.pki import Authority
from tests.samples import sample

pytestmark = pytest.mark.e2e

EXTRA = """
[tls]
port = {port}
certificate = "pki/node.pem"
key = "pki/node.key"
ca = "pki/authority.pem"
[peers.archive]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {archive}
retry_max_seconds = 2
{tls}
[[rules]]
name = "all"
model = "demo"
send_to = ["archive"]
"""
WITH_TLS = 'tls = true\nuser = "ai"\npasscode_file = "archive.passcode"'


@pytest.fixture
def pki(tmp_path: Path) -> Authority:
    (tmp_path / "node").mkdir()
    authority = Authority(tmp_path / "node" / "pki")
    for name in ("node", "archive", "modality"):
        authority.sign(name)
    for name, text in (("users", "ct:canary-1\n"), ("archive.passcode", "canary-2\n")):
        path = tmp_path / "node" / name
        path.write_text(text)
        path.chmod(0o600)
    return authority


@contextmanager
def archive(folder: Path, pki: Authority, program: Path, port: int) -> Iterator[Path]:
    """DCMTK's storescp, with TLS and certificates on both sides."""
    stored = folder / "stored"
    stored.mkdir()
    keys = [str(pki.folder / f"archive.{end}") for end in ("key", "pem")]
    tls = ["+tls", *keys, "+cf", str(pki.certificate)]
    process = subprocess.Popen(
        [program, *tls, "-od", str(stored), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield stored
    finally:
        process.kill()
        process.wait(10)


def send(one: Node, pki: Authority, name: str) -> int | None:
    passcode = one.folder / "modality.passcode"
    passcode.write_text("canary-1")
    passcode.chmod(0o600)
    tls = ClientTls(pki.certificate, pki.folder / "modality.pem", pki.folder / "modality.key")
    where = PeerAddress("AI_NODE", "127.0.0.1", one.port, tls, Login("ct", passcode))
    return store(where, "MODALITY", [sample(name)])[0].status


def test_results_travel_by_tls_and_every_check_works(
    tmp_path: Path,
    pki: Authority,
    tool: Callable[[str], Path],
    free_port: Callable[[], int],
) -> None:
    port, archives = free_port(), free_port()
    extra = EXTRA.format(port=port, archive=archives, tls=WITH_TLS)
    head = 'accept_from = ["MODALITY"]\nusers = "users"'
    with (
        archive(tmp_path, pki, tool("storescp"), archives) as stored,
        node(tmp_path / "node", port, extra=extra, head=head) as one,
    ):
        one.start()
        assert send(one, pki, "CT_small.dcm") == 0
        one.wait_for(lambda: one.states("delivery") == ["STORED"] * 2)
        assert len(list(stored.iterdir())) == 2
        for whom in ("--self", f"AI_NODE@127.0.0.1:{port}", "archive"):
            done = one.command("echo", whom)
            assert done.returncode == 0, done.stderr
        done = one.command("doctor")
        assert f"TLS port       127.0.0.1:{port}: AI_NODE is running there" in done.stdout
        assert (
            f"ARCHIVE@127.0.0.1:{archives} answers over TLS; its certificate is valid until 2049"
            in done.stdout
        )
        assert "valid until 2049-12-31" in done.stdout
        assert done.returncode == 0, done.stdout
        # Both certificates are renewed by another authority, without a restart.
        other = Authority(tmp_path / "other")
        for name in ("node", "archive", "modality"):
            pair = other.sign(name)
            for end in ("pem", "key"):
                fresh = pki.folder / f"{name}.{end}.new"
                fresh.write_bytes((other.folder / f"{name}.{end}").read_bytes())
                fresh.chmod(0o600)
                fresh.rename(pki.folder / f"{name}.{end}")
            assert pair.key.is_file()
        pki.certificate.write_bytes(other.certificate.read_bytes())
        assert send(one, pki, "MR_small.dcm") == 0
        assert one.command("echo", "--self").returncode == 0
        shown = one.command("config", "show")
        for text in (one.log, shown.stdout, done.stdout):
            assert "canary" not in text


def test_an_expired_certificate_is_told_and_the_node_still_starts(
    tmp_path: Path, pki: Authority, free_port: Callable[[], int]
) -> None:
    pki.sign("node", until="20200201000000Z")
    extra = EXTRA.format(port=free_port(), archive=free_port(), tls="tls = false")
    with node(tmp_path / "node", 1, extra=extra) as one:
        checked = one.command("config", "check")
        assert checked.returncode == 0, checked.stderr
        assert "has expired on 2020-02-01" in checked.stderr + checked.stdout
        assert "has expired on 2020-02-01" in one.command("doctor").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("config", "check"),
        pytest.param(("listen",), marks=pytest.mark.slow),
        pytest.param(("echo", "archive"), marks=pytest.mark.slow),
    ],
)
def test_nothing_leaves_in_clear_text_unless_somebody_says_so(
    tmp_path: Path, pki: Authority, free_port: Callable[[], int], words: tuple[str, ...]
) -> None:
    assert pki.certificate.is_file()
    extra = EXTRA.format(port=free_port(), archive=free_port(), tls="")
    with node(tmp_path / "node", 1, extra=extra) as one:
        done = one.command(*words)
        assert done.returncode == 2
        assert "peers.archive" in done.stderr
        assert "set tls = true, or tls = false if that is meant" in done.stderr


@pytest.mark.slow
def test_sending_by_hand_is_no_way_around(
    tmp_path: Path, pki: Authority, free_port: Callable[[], int]
) -> None:
    assert pki.certificate.is_file()
    extra = EXTRA.format(port=free_port(), archive=free_port(), tls="tls = false")
    path = sample()
    with node(tmp_path / "node", 1, extra=extra) as one:
        done = one.command("send", f"ARCHIVE@127.0.0.1:{free_port()}", str(path))
        assert done.returncode == 2
        assert "in clear text only to peers whose section says tls = false" in done.stderr
        assert one.command("send", "archive", str(path)).returncode == 3
