"""A bundle is checked as a whole: files, network, and the card that people read."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.cli import run
from pacs_ai.model.bundle import CARD, HEAD, MANIFEST, SHIPPED, WEIGHTS
from pacs_ai.model.verify import verify_bundle


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(SHIPPED / "demo", tmp_path / "demo")


def reseal(folder: Path, name: str) -> None:
    """Write the hash of an altered file into the manifest."""
    manifest = folder / MANIFEST
    was = hashlib.sha256((SHIPPED / "demo" / name).read_bytes()).hexdigest()
    new = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    manifest.write_text(manifest.read_text().replace(was, new))


def card_of(folder: Path, text: str | None) -> None:
    """Put another card in, or none, of a bundle whose manifest does not list its card."""
    manifest = folder / MANIFEST
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if not line.startswith(f'"{CARD}"')))
    (folder / CARD).unlink()
    if text is not None:
        (folder / CARD).write_text(text)


def other_head(folder: Path) -> None:
    head = np.load(folder / HEAD)
    np.save(folder / HEAD, head * np.float32(1.5))
    reseal(folder, HEAD)


def test_the_shipped_bundle_is_in_order() -> None:
    found = verify_bundle("demo")
    assert found.bundle is not None
    assert [check.name for check in found.checks] == ["manifest", "files", "network", "card"]
    assert all(check.ok for check in found.checks), found.checks
    assert str(found.computed_by).startswith("ONNX Runtime ")


@pytest.mark.parametrize(
    ("spoil", "name", "said"),
    [
        (lambda f: (f / MANIFEST).write_text("format = 2"), "manifest", "BUNDLE_INVALID"),
        (lambda f: (f / WEIGHTS).write_bytes(b"other"), "files", "sha256"),
        (lambda f: (f / WEIGHTS).unlink(), "files", "cannot be read"),
        (other_head, "network", "features times the head"),
        (lambda f: (f / CARD).write_text("another"), "files", "sha256"),
        (lambda f: card_of(f, None), "card", "missing"),
        (lambda f: card_of(f, " \n"), "card", "empty"),
    ],
)
def test_what_is_wrong_is_named(
    copy: Path, spoil: Callable[[Path], object], name: str, said: str
) -> None:
    spoil(copy)
    wrong = [check for check in verify_bundle(copy).checks if not check.ok]
    assert [check.name for check in wrong][:1] == [name]
    assert said in wrong[0].said


def test_the_command_says_so(
    copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the command line sets its own
    assert run(["models", "verify", str(copy), "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)[0]["checks"]
    assert all(check["ok"] for check in checks)
    card_of(copy, None)
    assert run(["models", "verify", str(copy), "--json"]) == 1
    record = json.loads(capsys.readouterr().out)[0]
    assert [check["ok"] for check in record["checks"]] == [True, True, True, False]
    assert "missing" in record["state"]
