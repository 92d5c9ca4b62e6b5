"""A package of npm: the very bytes that were asked for, or a sentence that says how."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from pacs_ai.demo.npm_package import Package, Unavailable, cache_folder, unpacked
from pacs_ai.errors import StorageError


def archive(**files: str) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"package/{name.replace('_', '.')}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return written.getvalue()


def package_of(content: bytes) -> Package:
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return Package("@some/one", "1.2.3", f"sha512-{digest}")


def npm(folder: Path, content: bytes) -> str:
    """A program that does what `npm pack` does, once."""
    (folder / "content.tgz").write_bytes(content)
    program = folder / "npm"
    program.write_text(
        "#!/bin/sh\n"
        f'[ "$*" = "pack --silent @some/one@1.2.3" ] && mv {folder}/content.tgz some.tgz &&'
        " echo some.tgz\n"
    )
    program.chmod(0o755)
    return str(program)


def test_it_is_fetched_once_and_without_source_maps(tmp_path: Path) -> None:
    content = archive(index_html="<p>", index_map="{}")
    program, package = npm(tmp_path, content), package_of(content)
    for _ in range(2):
        folder = unpacked(package, tmp_path / "cache", program)
        assert [path.name for path in folder.iterdir()] == ["index.html"]
    assert unpacked(package, tmp_path / "cache", None) == folder
    assert folder.name == "some-one-1.2.3"


def test_other_bytes_are_refused(tmp_path: Path) -> None:
    program = npm(tmp_path, archive(index_html="<script>"))
    with pytest.raises(Unavailable, match="another @some/one"):
        unpacked(package_of(b""), tmp_path / "cache", program)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_without_npm_it_is_said_how(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"install Node.js with npm .*apt-get install npm"):
        unpacked(package_of(b""), tmp_path, None)


def test_a_registry_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="npm cannot fetch @some/one"):
        unpacked(package_of(b""), tmp_path / "cache", "/bin/false")


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(StorageError, match="cache"):
        unpacked(package_of(b""), tmp_path / "cache", None)


def test_the_cache_is_where_users_have_theirs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "pacs-ai"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "pacs-ai"
