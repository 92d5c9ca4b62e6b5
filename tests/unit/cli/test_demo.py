"""What `pacs-ai demo` says of the viewer."""

from pathlib import Path

import pytest

from pacs_ai.cli.demo import _ohif


def test_without_npm_it_is_said_how_to_get_the_viewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said: list[str] = []
    assert _ohif(said.append) is None
    [line] = said
    assert line.startswith("without the viewer: @ohif/app@3.13.2 needs npm")
    assert "apt-get install npm" in line
