"""Files that the configuration names: certificates, users, the font."""

import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pacs_ai.checks.finding import Finding, doubtful, guarded, wrong
from pacs_ai.config import Config
from pacs_ai.net.tls import TlsFiles, server_context
from pacs_ai.net.users import read_users
from pacs_ai.results.documents.page_fonts import PageFonts

PEM_REMEDY = "give a PEM certificate, and its key without a passphrase"


def users(config: Config) -> Iterator[Finding]:
    """Check the file of names and passcodes."""
    path = config.node.users
    if path is not None:
        yield _file("node.users", path, "correct the file", partial(_users, path))


def tls_files(config: Config) -> Iterator[Finding]:
    """Look at the listener's certificate, its key and the authorities."""
    tls = config.tls
    if tls.certificate is None or tls.key is None:
        return
    secret = readable_by_all(tls.key)
    if secret:
        remedy = f"chmod 600 {tls.key}, and think about a new key"
        yield wrong("tls.key", f"everybody on this machine may read {tls.key}", remedy)
    paths = [path for path in (tls.certificate, tls.key, tls.ca) if path is not None]
    absent = [path for path in paths if not path.is_file()]
    if absent:
        text = "; ".join(map(absence, absent))
        yield wrong("tls", text, "correct the paths in [tls]")
        return
    files = TlsFiles(tls.certificate, tls.key, tls.ca)
    yield guarded("tls", PEM_REMEDY, partial(_tls, files))


def font(config: Config) -> Iterator[Finding]:
    """Look at the font for the page."""
    path = config.results.font
    if path is not None:
        remedy = "name a TrueType font (.ttf) in results.font"
        yield _file("results.font", path, remedy, partial(_font, path))


def debug_file(config: Config) -> Iterator[Finding]:
    """Warn while tracebacks are written: they may quote names."""
    path = config.debug_file()
    if path is not None:
        text = f"log.debug_phi is on: tracebacks, which may quote patient data, go to {path}"
        yield doubtful("log.debug_phi", text, "set it to false and remove the file when done")


def absence(path: Path) -> str:
    """Say why a path is not a readable file."""
    return f"{path} is a folder, not a file" if path.is_dir() else f"{path} is not there"


def readable_by_all(path: Path) -> bool:
    """Whether users other than owner and group may read or write an existing file."""
    try:
        return bool(path.stat().st_mode & stat.S_IRWXO)
    except OSError:
        return False


def _file(name: str, path: Path, remedy: str, check: Callable[[], Finding]) -> Finding:
    if not path.is_file():
        return wrong(name, absence(path), f"correct {name}")
    return guarded(name, remedy, check)


def _users(path: Path) -> Finding:
    return Finding("node.users", f"{path}: {len(read_users(path))} users")


def _tls(files: TlsFiles) -> Finding:
    server_context(files)
    return Finding("tls", f"{files.certificate} and its key belong together")


def _font(path: Path) -> Finding:
    PageFonts(path)
    return Finding("results.font", f"{path} can be used")
