"""Where the node keeps its files and rows."""

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pacs_ai.checks.finding import Finding, Severity, doubtful, guarded, wrong
from pacs_ai.config import SQLITE, Config, describe
from pacs_ai.store import pairing, version
from pacs_ai.store.session import Database, server_of
from pacs_ai.store.sitekey import KEY_FILE

_GB = 1e9
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_TLS = ("require", "verify-ca", "verify-full")
_PAIRING = "check the spool's mount and rights"


def spool(config: Config) -> Iterator[Finding]:
    """Check the spool: a folder, writable, with free space, its secret private."""
    folder = config.storage.spool
    problem = _unusable(folder)
    if problem:
        yield wrong("spool", problem, "correct storage.spool, or the rights of the folder")
        return
    key = folder / KEY_FILE
    if key.exists() and key.stat().st_mode & stat.S_IRWXO:
        yield wrong("spool", f"everybody on this machine may read {key}", f"chmod 600 {key}")
    disk = os.statvfs(_nearest(folder))
    free = disk.f_bavail * disk.f_frsize / _GB
    text = f"{folder}: {free:.1f} GB free"
    if free < config.storage.min_free_gb:
        remedy = "free space: below storage.min_free_gb every C-STORE is answered 0xA700"
        yield doubtful("spool", text, remedy)
    else:
        yield Finding("spool", text)


def database(config: Config) -> Iterator[Finding]:
    """Check the database: reachable, valid, and with a schema that this version can use."""
    url = config.storage.database
    shown = str(describe(config)["storage"]["database"])
    if url.startswith(SQLITE) and not Path(url.removeprefix(SQLITE)).exists():
        problem = _unusable(Path(url.removeprefix(SQLITE)).parent)
        if problem:
            remedy = "correct storage.database, or the rights of the folder"
            yield wrong("database", problem, remedy)
        else:
            yield Finding("database", f"{shown}: not there yet, made at the first start")
            yield guarded("pairing", _PAIRING, partial(_paired, config, pairing.Known()))
        return
    found = guarded(
        "database", "check storage.database and its server", partial(_schema, url, shown)
    )
    yield found
    yield from _clear_text(url)
    if found.severity is Severity.OK:
        yield guarded("pairing", _PAIRING, partial(_pairing, config))


def _clear_text(url: str) -> Iterator[Finding]:
    """Name a server on another machine that may be spoken to in clear text, or by anybody's name.

    Without ``sslmode``, libpq takes TLS where the server offers it, and clear text elsewhere.
    """
    if url.startswith(SQLITE):
        return
    host, mode = server_of(url)
    mode = mode or os.environ.get("PGSSLMODE", "prefer")
    if not host or host.startswith("/") or host in _THIS_MACHINE or mode in _TLS:
        return
    text = f"{host}: the connection may be without TLS (sslmode {mode})"
    remedy = "add ?sslmode=verify-full&sslrootcert=FILE to storage.database"
    yield doubtful("database TLS", text, remedy)


def _schema(url: str, shown: str) -> Finding:
    opened = Database(url)
    try:
        step = version.current(opened)
    finally:
        opened.close()
    if step == version.SCHEMA_STEP:
        return Finding("database", f"{shown}: schema {step}")
    text = f"{shown}: schema {step}, this version's is {version.SCHEMA_STEP}"
    if step is not None and step > version.SCHEMA_STEP:
        return wrong("database", text, "install the newer pacs-ai that made it")
    if opened.is_sqlite:
        return doubtful(
            "database", text, "make a backup; the start, or pacs-ai db upgrade, does it"
        )
    return wrong("database", text, "run pacs-ai db upgrade")


def _pairing(config: Config) -> Finding:
    """Check that database and spool belong together."""
    opened = Database(config.storage.database)
    try:
        with opened.read() as session:
            known = pairing.known_by(session)
    finally:
        opened.close()
    return _paired(config, known)


def _paired(config: Config, known: pairing.Known) -> Finding:
    problem = pairing.mismatch(known, config.storage.spool)
    if problem:
        return wrong("pairing", problem, pairing.REMEDY)
    return Finding("pairing", "database and spool belong together")


def _unusable(folder: Path) -> str:
    """Say why a folder cannot be used or made; "" if it can."""
    nearest = _nearest(folder)
    if not nearest.exists():
        return f"{nearest} is a link that leads to nothing"
    if not nearest.is_dir():
        return f"{nearest} is a file, not a folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"{nearest} is not writable for this user"
    return ""


def _nearest(path: Path) -> Path:
    """Return the path itself, or its nearest parent that exists."""
    return next(one for one in (path, *path.parents) if os.path.lexists(one))
