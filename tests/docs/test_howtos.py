"""The commands of the how-tos are run, each page from its first line to its last.

What others run (systemctl, docker, storescu, curl) is left to tests of their own.
"""

import io
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest

from pacs_ai.cli import models_compare, run
from pacs_ai.config import load_config
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.model.bundle import SHIPPED
from pacs_ai.node.wiring import node_context
from tests import ports
from tests.archive import archive
from tests.samples import sample
from tests.unit.flow.conftest import arrive

BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LEFT_OUT = {("listen",)}
"""Commands that do not end; the tests of `tests/e2e` run them."""
FROM_NOTHING = {"set-up-a-node.md", "route-from-orthanc.md", "route-from-dcm4chee.md"} | {
    "route-from-a-router.md"
}
"""Pages whose first command writes the configuration."""

ANSWERS = {("echo", "--self"), ("doctor",)}
"""Commands that need a node that runs: here it is stopped, and they say so."""
PAGES = sorted(
    path.name
    for path in (Path(__file__).resolve().parents[2] / "docs" / "howto").glob("*.md")
    if path.name != "README.md"
)


def commands(page: Path) -> list[list[str]]:
    """The pacs-ai commands of a page, in their order."""
    lines = [
        line.strip() for block in BLOCK.findall(page.read_text()) for line in block.splitlines()
    ]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("pacs-ai ")]


@pytest.fixture(scope="module")
def department(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a configured node, a delivered study and models; the archive answers."""
    folder = tmp_path_factory.mktemp("department")
    config = folder / "pacs-ai.toml"
    port = ports.free_port()
    with archive(port, ports.free_port()) as peer:
        where = ["--config", str(config)]
        assert run(["init", "--yes", "--archive", f"ARCHIVE@127.0.0.1:{port}", *where]) == 0
        config.write_text(config.read_text().replace("#min_free_gb = 2", "min_free_gb = 0"))
        node = node_context(load_config(config), owner="node/boot/1")
        received = arrive(node, Arrivals(), pydicom.dcmread(sample()), "a")
        assert received.status == 0
        node.database.close()
        assert run(["studies", "close", "1", *where]) == 0
        assert run(["work", "--once", *where]) == 0
        assert len(peer.stored) == 2
        shutil.copytree(SHIPPED / "demo", folder / "chest")
        shutil.copytree(SHIPPED / "demo", folder / "chest-new")
        manifest = folder / "chest-new" / "model.toml"
        manifest.write_text(manifest.read_text().replace('"1.1.1"', '"2.0.0"'))
        (folder / "studies.txt").write_text("# to be fetched\n1.2.840.113619.2.2\n")
        (folder / "findings.csv").write_text("study,label\n1,lesion\n")
        yield folder


@pytest.fixture
def folder(department: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to work in."""
    copy = shutil.copytree(department, tmp_path / "node")
    monkeypatch.chdir(copy)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # no terminal
    monkeypatch.setattr(models_compare, "give_way", lambda _: None)  # or later tests are slow
    return copy


@contextmanager
def moved_away(folder: Path, words: list[str]) -> Iterator[None]:
    """Do what the page asks for before a restore: move the old data away."""
    if words[:2] == ["db", "restore"]:
        (folder / "var").rename(folder / f"var-{len(list(folder.iterdir()))}")
    yield


def serve_chest(config: Path) -> None:
    """Do what comes before the page on another version: a model that has analysed a study."""
    assert run(["models", "add", "./chest", "--name", "chest"]) == 0
    config.write_text(re.sub(r'^model = "demo"', 'model = "chest"', config.read_text(), flags=re.M))
    assert run(["studies", "reroute", "1"]) == 0
    assert run(["work", "--once"]) == 0


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_works(
    name: str, folder: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = commands(root / "docs" / "howto" / name)
    assert found, "a how-to without a command"
    if name == "switch-a-model.md":
        serve_chest(folder / "pacs-ai.toml")
    config = (folder / "pacs-ai.toml").read_text()
    if name in FROM_NOTHING:
        (folder / "pacs-ai.toml").unlink()
        assert found[0][0] == "init"
    for words in found:
        if tuple(words[:1]) in LEFT_OUT:
            continue
        if words[0] == "init":
            (folder / "pacs-ai.toml").unlink(missing_ok=True)
        given = [word.replace("/mnt/", f"{folder}/mnt/") for word in words]
        with moved_away(folder, words):
            code = run(given)
        said = capsys.readouterr()
        expected = {0, 1, 3} if tuple(words) in ANSWERS else {0}
        assert code in expected, f"{' '.join(words)}: {said.err}"
        if words[0] == "init":  # its archive is not there; ours is
            (folder / "pacs-ai.toml").write_text(config)


def test_a_command_that_fails_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("1. do\n\n   ```sh\n   pacs-ai no-such --thing  # why\n   ```\n")
    assert commands(page) == [["no-such", "--thing"]]
    assert run(commands(page)[0]) == 2
