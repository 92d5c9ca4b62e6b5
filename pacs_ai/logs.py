"""Logging: one event a line, and nothing in it that tells who the patient is."""

import contextlib
import hmac
import logging
import os
import re
import sys
import traceback
import uuid
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import structlog

from pacs_ai.config.sections import Log
from pacs_ai.log_events import EVENT_IDS

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_secret = b""

KEPT_BYTES = 16 << 20
"""Size of the file of tracebacks at which a new one is begun."""

TAIL_BYTES = 1 << 20
"""The same of the file of the last lines."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

_QUOTING = (
    "pydicom",
    "pynetdicom",
    "sqlalchemy",
    "highdicom",
    "apscheduler",
    "alembic",
    "uvicorn",
    "asyncio",
)
"""Libraries whose messages and tracebacks quote values."""

_SERIOUS = ("warning", "error", "critical")

REF_LENGTH = 12
"""Hex digits of a study's name in the logs."""


def keyed_hash(secret: bytes, value: str) -> str:
    """Return the SHA-256 HMAC of a value as 64 hex digits."""
    return hmac.digest(secret, value.encode(), "sha256").hex()


def use_secret(secret: bytes) -> None:
    """Set the installation's secret, so that references agree across restarts and processes."""
    global _secret  # noqa: PLW0603 - one per process, set once at start
    _secret = secret


def study_ref(study_instance_uid: str) -> str:
    """Return what logs call a study: 12 hex digits of the keyed hash of its UID."""
    return keyed_hash(_secret, study_instance_uid)[:REF_LENGTH]


def setup_logging(
    settings: Log, debug_file: Path | None = None, tail_file: Path | None = None
) -> None:
    """Send events to standard error as text or JSON, and quieten the libraries.

    Parameters
    ----------
    debug_file
        Where tracebacks go, which may quote patient data; None for nowhere.
    tail_file
        Where the last lines go besides, for the page; None for nowhere. See `read_tail`.

    Notes
    -----
    Libraries that quote values in their messages are silenced, whatever level ``settings`` names.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        _identify,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Tracebacks(debug_file) if debug_file is not None else _unchanged,
        _escape,
    ]
    if settings.format == "json":
        renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    kept: list[Any] = [_Tail(tail_file)] if tail_file is not None else []
    structlog.configure(
        processors=[*shared, renderer, *kept],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        # looked up at each event, so that a redirection of standard error takes effect
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s", force=True)
    for name in _QUOTING:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger that all modules share."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


class _Tracebacks:
    """Writes the traceback of what is being handled to a private file, and its number to the log.

    Parameters
    ----------
    path
        The file; made with the rights of its owner alone. One of ``KEPT_BYTES`` is put aside as
        ``.1``, and that before it is lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Add the number under which the traceback stands in the file."""
        error = sys.exc_info()[1]
        if error is not None and event.get("level") in _SERIOUS:
            number = uuid.uuid4().hex[:8]
            # a debugging aid must not fail what it is to explain
            with contextlib.suppress(OSError):
                self._write(f"{number} {event.get('timestamp')} {event.get('event')}", error)
                event["traceback"] = number
        return event

    def _write(self, title: str, error: BaseException) -> None:
        _append(self._path, "\n".join([title, *_told(error), "", ""]), KEPT_BYTES)


class _Tail:
    """Writes each line, as it goes to standard error, to a file that the page shows.

    Parameters
    ----------
    path
        The file, in the folder of the node. Where it cannot be written, it lacks lines.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, _logger: object, _method: str, line: str) -> str:
        """Write the line."""
        with contextlib.suppress(OSError):
            _append(self._path, f"{_COLOURS.sub('', line)}\n", TAIL_BYTES)
        return line


def tail_path(folder: Path) -> Path:
    """Return where the last lines of a node are, in its folder of the spool."""
    return folder / "log"


def read_tail(path: Path, most: int) -> list[str]:
    """Return the last lines of a node, the oldest first; none where there is no file.

    All processes of the node write there what they write to standard error: no more, no less, and
    in the same moment.

    Parameters
    ----------
    most
        Number of lines.
    """
    content = b""
    for file in (_put_aside(path), path):
        with contextlib.suppress(OSError), file.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
            content += stream.read(TAIL_BYTES)
    return content.decode("utf-8", "replace").splitlines()[-most:]


def _append(path: Path, text: str, limit: int) -> None:
    """Write a text at the end of a private file; one that is too long is put aside before."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > limit:
            path.replace(_put_aside(path))
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, text.encode("utf-8", "backslashreplace"))
    finally:
        os.close(fd)


def _put_aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def _told(error: BaseException) -> Iterator[str]:
    """Tell an error and all that led to it, also what ``from None`` hides from others."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield from traceback.format_exception(type(cause), cause, cause.__traceback__, chain=False)
        cause = cause.__cause__ or cause.__context__


def _identify(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Put the stable id of an event beside its sentence."""
    if name := EVENT_IDS.get(event["event"]):
        event["event_id"] = name
    return event


def _unchanged(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return event


def _escape(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Escape control characters: a peer chooses its AE title, and must not write our log."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = value.translate(_CONTROL)
    return event


class Outage:
    """Knows of something that is done again and again whether it fails, so that it is told once.

    Each outage has a line of the log when it begins, or its reason changes, and one when it is
    over. Several threads may use it.
    """

    def __init__(self) -> None:
        self._code = ""

    def begins(self, code: str) -> bool:
        """Note a failure; True if it did not fail before, or for another reason."""
        known, self._code = self._code, code
        return known != code

    def ends(self) -> bool:
        """Note a success; True if it failed before."""
        known, self._code = self._code, ""
        return bool(known)
