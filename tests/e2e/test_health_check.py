"""The health checks that are shipped, with the configurations that docs/deploy.md shows."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.node import PATIENCE, Node, wait_for
from tests.pki import Authority

pytestmark = pytest.mark.e2e

CONFIG = "/etc/pacs-ai/pacs-ai.toml"


def shown(root: Path) -> tuple[str, str]:
    """The two configurations of the page: the plain one, and what TLS adds to it."""
    page = (root / "docs" / "deploy.md").read_text()
    shown = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    [plain] = [text for text in shown if text.startswith("[node]")]
    [tls] = [text for text in shown if "[tls]" in text]
    return plain, re.sub(r"^  ", "", tls, flags=re.MULTILINE)


def shell_of(root: Path) -> str:
    """The command of the image's HEALTHCHECK."""
    text = (root / "deploy" / "Dockerfile").read_text().replace("\\\n", "")
    found = re.search(r"HEALTHCHECK.*?CMD (.*)", text)
    assert found is not None
    return found[1]


def command_of(root: Path) -> list[str]:
    """The command of the compose file."""
    services = yaml.safe_load((root / "deploy" / "compose.yaml").read_text())["services"]
    test: list[str] = services["pacs-ai"]["healthcheck"]["test"]
    assert test[0] == "CMD"
    return test[1:]


def healthy(one: Node, root: Path) -> list[int]:
    """Run both; their exit statuses."""
    folder = one.folder / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "pacs-ai"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pacs_ai "$@"\n')
    program.chmod(0o755)
    words = [word.replace(CONFIG, str(one.config)) for word in command_of(root)]
    shell = ["/bin/sh", "-c", shell_of(root).replace(CONFIG, str(one.config))]
    path = {"PATH": f"{folder}:/usr/bin:/bin"}
    return [
        subprocess.run(line, cwd=one.folder, env=path, check=False, timeout=PATIENCE).returncode
        for line in ([str(program), *words[1:]], shell)
    ]


def started(folder: Path, text: str, port: int) -> Node:
    one = Node(folder, port)
    local = text.replace("/var/lib/pacs-ai", str(folder / "var"))
    local = re.sub(r'^host = "(10|pacs)\..*"', 'host = "127.0.0.1"', local, flags=re.MULTILINE)
    one.config.write_text(local.replace("[storage]\n", "[storage]\nmin_free_gb = 0\n"))
    one.start()
    return one


@pytest.mark.parametrize("users", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_the_plain_configuration(
    tmp_path: Path, root: Path, free_port: Callable[[], int], users: bool
) -> None:
    port = free_port()
    more = f"port = {port}\n"
    if users:
        (tmp_path / "users").write_text("ct:x\n")
        (tmp_path / "users").chmod(0o600)
        more += 'users = "users"\n'
    text = shown(root)[0].replace('host = "0.0.0.0"\n', f'host = "0.0.0.0"\n{more}')
    one = started(tmp_path, text, port)
    try:
        assert healthy(one, root) == [0, 0]
        assert f"0.0.0.0:{port}: AI_NODE is running there" in one.command("doctor").stdout
    finally:
        one.kill()
    wait_for(lambda: not one.answers())
    assert all(healthy(one, root))


@pytest.mark.slow
def test_the_configuration_with_tls(
    tmp_path: Path, root: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    authority = Authority(tmp_path / "tls")
    pair = authority.sign("node", usage="serverAuth")
    for file, name in ((pair.certificate, "node.crt"), (authority.certificate, "hospital.crt")):
        (tmp_path / "tls" / name).write_bytes(file.read_bytes())
    (tmp_path / "pacs.passcode").write_text("canary\n")
    (tmp_path / "pacs.passcode").chmod(0o600)
    plain, tls = shown(root)
    rest = re.sub(r"\[peers\.pacs\].*?\n\n", "", plain, flags=re.DOTALL)
    text = f"{rest}\n{tls}".replace("[tls]\n", f"[tls]\nport = {port}\n")
    one = started(tmp_path, text, port)
    try:
        assert healthy(one, root) == [0, 0]
        said = one.command("doctor").stdout
        assert f"0.0.0.0:{port}: AI_NODE is running there" in said
        assert "canary" not in said + one.log
    finally:
        one.kill()
