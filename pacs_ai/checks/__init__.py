"""Checks of an installation: the same for the start, `config check` and `doctor`.

Nothing here changes anything: no folder is made, no schema upgraded, no port taken.
"""

from collections.abc import Iterator

from pacs_ai.checks.files import debug_file, font, tls_files, users
from pacs_ai.checks.finding import Finding, Severity
from pacs_ai.checks.parts import folders, models, ports, runtime
from pacs_ai.checks.rules import rules
from pacs_ai.checks.storage import database, spool
from pacs_ai.checks.tls import expiry, peers
from pacs_ai.config import Config
from pacs_ai.errors import ConfigError, StorageError

__all__ = ["Finding", "Severity", "check_start", "findings"]

_CHECKS = (
    rules,
    ports,
    users,
    tls_files,
    expiry,
    peers,
    folders,
    font,
    debug_file,
    spool,
    database,
    models,
    runtime,
)


def findings(config: Config) -> Iterator[Finding]:
    """Check all that the start of a node depends on, except what only the network can tell.

    Yields
    ------
    Finding
        One for each thing looked at, whether it is as it should be or not.
    """
    for check in _CHECKS:
        yield from check(config)


def check_start(config: Config) -> list[Finding]:
    """Refuse to start where a check fails.

    Returns
    -------
    list of Finding
        What does not prevent the start, but will hardly be meant so.

    Raises
    ------
    ConfigError
        Naming everything that is wrong, and what to do.
    PrecisionRefused
        The same, if all that is wrong is a network of eight bits that is not served.
    StorageError
        The same, if all that is wrong may pass without anybody's help: a database server that does
        not answer yet.
    """
    found = list(findings(config))
    failed = [one for one in found if one.severity is Severity.ERROR]
    if failed:
        lasting = {one.error for one in failed} - {StorageError} or {StorageError}
        error = lasting.pop() if len(lasting) == 1 else ConfigError
        raise error("; ".join(f"{one.text}: {one.remedy}" for one in failed))
    return [one for one in found if one.severity is Severity.WARNING]
