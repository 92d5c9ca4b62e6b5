"""Logging: one event a line, and nothing in it that tells who the patient is."""

import hashlib
import hmac
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from pacs_ai.sections import Log

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_secret = b""

REF_LENGTH = 12
"""Hex digits of a study's name in the logs."""


def keyed_hash(secret: bytes, value: str) -> str:
    """Return the SHA-256 HMAC of a value as 64 hex digits."""
    return hmac.new(secret, value.encode(), hashlib.sha256).hexdigest()


def use_secret(secret: bytes) -> None:
    """Set the installation's secret, so that references agree across restarts and processes."""
    global _secret  # noqa: PLW0603 - one per process, set once at start
    _secret = secret


def study_ref(study_instance_uid: str) -> str:
    """Return what logs call a study: 12 hex digits of the keyed hash of its UID."""
    return keyed_hash(_secret, study_instance_uid)[:REF_LENGTH]


def setup_logging(settings: Log) -> None:
    """Send events to standard error as text or JSON, and quieten the libraries.

    pydicom, pynetdicom and SQLAlchemy quote values in their messages: below WARNING they are
    silenced, at every level of ours.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _escape,
    ]
    if settings.format == "json":
        renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        # looked up at each event: whoever redirects standard error gets what comes after
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s", force=True)
    for name in ("pydicom", "pynetdicom", "sqlalchemy", "highdicom", "apscheduler", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger that all modules share."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def _escape(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Escape control characters: a peer chooses its AE title, and must not write our log."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = value.translate(_CONTROL)
    return event
