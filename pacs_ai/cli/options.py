"""Options that several commands have, and what follows from them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.config import Config, load_config
from pacs_ai.logs import setup_logging

ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="Configuration file. Default: pacs-ai.toml here, else none.",
        show_default=False,
    ),
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Log in detail.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Only what happened since: 30m, 12h, 7d, or a date and time (UTC).",
        show_default=False,
    ),
]
Before = Annotated[
    str | None,
    typer.Option(
        "--before",
        metavar="TIME",
        help="Only what happened before: 30m, 12h, 7d ago, or a date and time (UTC).",
        show_default=False,
    ),
]
OfPeer = Annotated[
    str | None,
    typer.Option(
        "--peer",
        metavar="NAME",
        help="With results for this destination, a name of [peers.x].",
        show_default=False,
    ),
]
OfSender = Annotated[
    str | None,
    typer.Option(
        "--sender",
        metavar="AET",
        help="Of studies that came from this calling AE title.",
        show_default=False,
    ),
]
OfStudy = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="STUDY",
        help="Of this study: row id or Study Instance UID.",
        show_default=False,
    ),
]
OfModel = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="With work of this model.", show_default=False),
]
StateSince = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Only what came to this state since: 30m, 12h, 7d, or a date and time (UTC).",
        show_default=False,
    ),
]
StateBefore = Annotated[
    str | None,
    typer.Option(
        "--before",
        metavar="TIME",
        help="Only what came to this state before: 30m, 12h, 7d ago, or a date and time (UTC).",
        show_default=False,
    ),
]
Limit = Annotated[
    int,
    typer.Option("--limit", metavar="N", min=1, max=10**9, help="So many at most, newest first."),
]
Timeout = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Seconds to wait for each answer."),
]

_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
HELP_OPTIONS = ["-h", "--help"]
_CONTEXT = {"help_option_names": HELP_OPTIONS, "max_content_width": 100}


def single() -> typer.Typer:
    """Make the application of a command without subcommands."""
    return typer.Typer(
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )


def group(text: str) -> typer.Typer:
    """Make the application of a command that has subcommands."""
    app = typer.Typer(
        help=text,
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )

    @app.callback()
    def _group() -> None:
        """Keep Typer from taking an only subcommand for the command."""

    return app


def read_config(
    path: Path | None,
    *,
    verbose: bool,
    flags: dict[str, dict[str, object]] | None = None,
    daemon: bool = False,
) -> Config:
    """Read the configuration and set up the log.

    A command that a person waits for logs warnings only; a daemon what the configuration says.
    """
    values = dict(flags or {})
    if verbose:
        values["log"] = {**values.get("log", {}), "level": "DEBUG"}
    config = load_config(path, values)
    log = config.log
    if not daemon and not verbose:
        log = log.model_copy(update={"level": "WARNING"})
    setup_logging(log, config.debug_file())
    return config


def moment(text: str | None, option: str = "--since") -> datetime | None:
    """Read the value of ``--since`` or ``--before``."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is neither a date and time nor 30m, 12h or 7d", param_hint=option
        ) from None
