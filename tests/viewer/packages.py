"""The viewer and the browser's remote control, as npm has them: these versions, these bytes."""

import base64
import fcntl
import hashlib
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 300


class Unavailable(Exception):
    """A package cannot be fetched here."""


@dataclass(frozen=True)
class Package:
    """A package of the npm registry; ``integrity`` is the SHA-512 that the registry gives."""

    name: str
    version: str
    integrity: str

    @property
    def folder(self) -> str:
        return f"{self.name.replace('/', '-').lstrip('@')}-{self.version}"


OHIF = Package(
    "@ohif/app",
    "3.13.2",
    "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA==",
)
AXE = Package(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
)
PLAYWRIGHT = Package(
    "playwright-core",
    "1.65.1",
    "sha512-hqPpz7blSMPxWVdoeE1yiBSzXsKiVOd2k+kjCvmUywD2GPO2Dd9HfcWnq9NN0GHbNZDFgZ9JfBFr+X5/BLo0qw==",
)


def unpacked(package: Package, cache: Path, npm: Path) -> Path:
    """The package's folder; fetched, checked and unpacked at the first call.

    Neither needs an installation: OHIF comes built, and both without dependencies at run time.
    Several processes may call it at the same time: one fetches, the others wait for it.

    Raises
    ------
    Unavailable
        If npm cannot fetch it.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{package.folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = cache / package.folder
        return folder if folder.is_dir() else _fetched(package, folder, npm)


def _fetched(package: Package, folder: Path, npm: Path) -> Path:
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    wanted = f"{package.name}@{package.version}"
    try:
        fetched = subprocess.run(
            [npm, "pack", "--silent", wanted],
            cwd=draft,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise Unavailable(f"{wanted} from npm") from None
    archive = draft / fetched.stdout.split()[-1]
    digest = hashlib.sha512(archive.read_bytes()).digest()
    assert f"sha512-{base64.b64encode(digest).decode()}" == package.integrity, archive.name
    with tarfile.open(archive) as files:
        kept = [file for file in files if not file.name.endswith(".map")]
        files.extractall(draft, kept, filter="data")
    (draft / "package").rename(folder)
    shutil.rmtree(draft)
    return folder
