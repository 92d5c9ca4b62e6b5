"""A package of the npm registry, fetched by the user's npm: one version, and its very bytes."""

import base64
import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.errors import PacsAIError, StorageError

_SECONDS = 300


class Unavailable(PacsAIError):
    """A package is not in the cache, and npm cannot fetch it. The text says what to do."""

    code = "PACKAGE_UNAVAILABLE"


@dataclass(frozen=True)
class Package:
    """A package of the npm registry; ``integrity`` is the SHA-512 that the registry gives."""

    name: str
    version: str
    integrity: str

    @property
    def folder(self) -> str:
        """Name of its folder in the cache."""
        return f"{self.name.replace('/', '-').lstrip('@')}-{self.version}"


def cache_folder() -> Path:
    """Return the user's folder for what can be fetched again (XDG Base Directory, 2021)."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if root else Path.home() / ".cache") / "pacs-ai"


def unpacked(package: Package, cache: Path, npm: str | None) -> Path:
    """Return the package's folder; it is fetched, checked and unpacked at the first call.

    Nothing is installed with it, so the package must need no others at run time. Several processes
    may call this at the same time: one fetches, the others wait for it.

    Parameters
    ----------
    npm
        The program; None if there is none.

    Raises
    ------
    Unavailable
        If it is not in the cache, and npm cannot fetch it.
    StorageError
        If the cache cannot be written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{package.folder}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder = cache / package.folder
            return folder if folder.is_dir() else _fetched(package, folder, npm)
    except OSError as error:
        raise StorageError(f"{cache}: {error.strerror}") from None


def _fetched(package: Package, folder: Path, npm: str | None) -> Path:
    wanted = f"{package.name}@{package.version}"
    if npm is None:
        raise Unavailable(
            f"{wanted} needs npm, which is not installed: install Node.js with npm (Debian and"
            f" Ubuntu: apt-get install npm), or unpack its folder 'package' as {folder}"
        )
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        archive = _archive(wanted, draft, npm)
        digest = hashlib.sha512(archive.read_bytes()).digest()
        if f"sha512-{base64.b64encode(digest).decode()}" != package.integrity:
            raise Unavailable(f"npm gave another {wanted} than the one that was published")
        with tarfile.open(archive) as files:
            kept = [file for file in files if not file.name.endswith(".map")]
            files.extractall(draft, kept, filter="data")
        (draft / "package").rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _archive(wanted: str, folder: Path, npm: str) -> Path:
    """Let npm download a package into a folder; nothing of it is run."""
    try:
        fetched = subprocess.run(  # noqa: S603 - the user's own program
            [npm, "pack", "--silent", wanted],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
        return folder / fetched.stdout.split()[-1]
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, IndexError):
        raise Unavailable(
            f"npm cannot fetch {wanted}: try `npm pack {wanted}` to see why (npm has settings of"
            " its own for a proxy and for another registry)"
        ) from None
