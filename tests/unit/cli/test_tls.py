"""``pacs-ai tls init``: what OpenSSL says of the certificates."""

import stat
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.net.tls import ClientTls, TlsFiles, client_context, server_context
from tests.unit.cli.conftest import Answer

PacsAi = Callable[..., Answer]
Tool = Callable[[str], Path]
FILES = {f"{owner}.{kind}" for owner in ("ca", "node", "client") for kind in ("crt", "key")}


@pytest.fixture
def folder(pacs_ai: PacsAi, tmp_path: Path) -> Path:
    answer = pacs_ai("tls", "init", "--host", "node.example", "--host", "10.0.0.7", "--days", "30")
    assert answer.code == 0, answer.err
    (tmp_path / "said").write_text(answer.out)
    return tmp_path / "tls"


def openssl(tool: Tool, *words: str | Path) -> str:
    done = subprocess.run([tool("openssl"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_keys_are_private_and_certificates_are_for_the_hosts(folder: Path, tool: Tool) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert {modes[name] for name in FILES if name.endswith(".key")} == {0o600}
    for one in ("node", "client"):
        openssl(tool, "verify", "-x509_strict", "-CAfile", folder / "ca.crt", folder / f"{one}.crt")
    for check in (("-checkhost", "node.example"), ("-checkip", "10.0.0.7"), ("-checkip", "::1")):
        said = openssl(tool, "x509", "-in", folder / "node.crt", "-noout", *check)
        assert "does match" in said
    for purpose, names in {"sslserver": ["node"], "sslclient": ["node", "client"]}.items():
        chain = ["-purpose", purpose, "-CAfile", folder / "ca.crt"]
        openssl(tool, "verify", *chain, *(folder / f"{name}.crt" for name in names))


def test_it_says_until_when_and_what_to_configure(folder: Path, tmp_path: Path, tool: Tool) -> None:
    said = (tmp_path / "said").read_text()
    end = openssl(
        tool, "x509", "-in", folder / "node.crt", "-noout", "-enddate", "-dateopt", "iso_8601"
    )
    assert f"valid until {end.strip().removeprefix('notAfter=')[:16]}" in said
    lines = said[said.index("[tls]") : said.index("\nThen")]
    keys = tomllib.loads(lines)["tls"]
    files = TlsFiles(*(tmp_path / keys[key] for key in ("certificate", "key", "ca")))
    server_context(files)
    client_context(ClientTls(files.ca, folder / "client.crt", folder / "client.key"))
    assert f"storescu +tls {Path('tls')}/client.key" in said


def test_nothing_is_overwritten(folder: Path, pacs_ai: PacsAi) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "ca.crt").unlink()
    answer = pacs_ai("tls", "init")
    assert answer.code == 2
    assert "node.key" in answer.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: content for name, content in before.items() if name != "ca.crt"
    }


def test_what_is_no_host_makes_no_file(pacs_ai: PacsAi, tmp_path: Path) -> None:
    answer = pacs_ai("tls", "init", "--host", "not a host")
    assert answer.code == 2
    assert list(tmp_path.iterdir()) == []
