"""The published weights of EfficientNet-Lite0, fetched once for all tests of a machine."""

import os
import tempfile
from pathlib import Path

import pytest

from pacs_ai.errors import PeerUnreachable
from tests.conftest import missing
from training.foreign.weights import fetch_weights
from training.pretrained.folder import FOLDER, find_record

LITE0 = "efficientnet-lite0"


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder."""
    folder = tmp_path / "weights"
    monkeypatch.setenv(FOLDER, str(folder))
    return folder


@pytest.fixture
def lite0(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with the published weights; the next test finds it filled."""
    kept = os.environ.get("PACS_AI_TEST_CACHE", "")
    folder = Path(kept or tempfile.gettempdir()) / f"pacs-ai-test-weights-{os.getuid()}"
    monkeypatch.setenv(FOLDER, str(folder))
    if find_record(LITE0) is None:
        try:
            fetch_weights(LITE0)
        except PeerUnreachable as error:
            missing(error.message)
    return folder
