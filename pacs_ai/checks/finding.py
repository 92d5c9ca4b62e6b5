"""What a check has found."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pacs_ai.errors import ConfigError, PacsAIError, PrecisionRefused, StorageError


class Severity(StrEnum):
    """Whether the node starts, and whether it then does what was meant."""

    OK = "ok"
    WARNING = "warning"
    """It starts, but a person should look at this."""
    ERROR = "error"
    """It does not start."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Parameters
    ----------
    name
        What was looked at: ``spool``, ``model demo``.
    text
        What was seen; no patient data, no password.
    remedy
        What to do about it, unless the severity is ``OK``.
    error
        The error that the start ends with, if the severity is ``ERROR``.
    """

    name: str
    text: str
    remedy: str = ""
    severity: Severity = Severity.OK
    error: type[PacsAIError] = ConfigError


def wrong(name: str, text: str, remedy: str, error: type[PacsAIError] = ConfigError) -> Finding:
    """Make a finding that prevents the start."""
    return Finding(name, text, remedy, Severity.ERROR, error)


def doubtful(name: str, text: str, remedy: str) -> Finding:
    """Make a finding that a person should look at."""
    return Finding(name, text, remedy, Severity.WARNING)


def guarded(name: str, remedy: str, check: Callable[[], Finding]) -> Finding:
    """Run a check; an error of pacs-ai becomes its finding."""
    try:
        return check()
    except PacsAIError as error:
        own = (kind for kind in (StorageError, PrecisionRefused) if isinstance(error, kind))
        return wrong(name, error.message, remedy, next(own, ConfigError))
