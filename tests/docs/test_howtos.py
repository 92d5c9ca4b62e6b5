"""The commands of the how-tos are run, each page from its first line to its last.

What others run (systemctl, docker, storescu, curl) is left to tests of their own.
"""

import io
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacs_ai.cli import run
from pacs_ai.model.bundle import SHIPPED
from pacs_ai.store.spool import Spool
from tests.archive import archive
from tests.databases import new_database
from tests.unit.store import samples
from tests.unit.store.samples import NOW

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


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> Iterator[Path]:
    """A folder with a configured node, a delivered study and a model; the archive answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # no terminal
    port = free_port()
    monkeypatch.setenv("PACS_AI_STORAGE_MIN_FREE_GB", "0")
    with archive(port, free_port()):
        assert run(["init", "--yes", "--archive", f"ARCHIVE@127.0.0.1:{port}"]) == 0
        database = new_database(made(tmp_path / "var"))
        with database.write("test", NOW) as transaction:
            samples.analysed_job(transaction)
        database.close()
        Spool(tmp_path / "var" / "spool", "").secret()
        shutil.copytree(SHIPPED / "demo", tmp_path / "chest")
        yield tmp_path


def made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def moved_away(folder: Path, words: list[str]) -> Iterator[None]:
    """Do what the page asks for before a restore: move the old data away."""
    if words[:2] == ["db", "restore"]:
        (folder / "var").rename(folder / f"var-{len(list(folder.iterdir()))}")
    yield


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_works(
    name: str, folder: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = commands(root / "docs" / "howto" / name)
    assert found, "a how-to without a command"
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
