"""Options that several commands have, and what follows from them."""

import inspect
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperGroup

from pacs_ai.config import Config, load_config
from pacs_ai.logs import setup_logging, tail_path
from pacs_ai.memory import write_no_core_files

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
Limit = Annotated[
    int,
    typer.Option(
        "--limit", metavar="N", min=1, max=10**9, help="Show at most this many, the newest first."
    ),
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


def group(text: str, kind: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """Make the application of a command that has subcommands, of a class of its own if needed."""
    app = typer.Typer(
        cls=kind,
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
    """Read the configuration, set up the log, and see to it that a crash leaves no core file.

    A command that a person waits for logs warnings only; a daemon what the configuration says.
    """
    values = dict(flags or {})
    if verbose:
        values["log"] = {**values.get("log", {}), "level": "DEBUG"}
    config = load_config(path, values)
    log = config.log
    if not log.core_files:
        write_no_core_files()
    if not daemon and not verbose:
        log = log.model_copy(update={"level": "WARNING"})
    setup_logging(log, config.debug_file(), _tail(config) if daemon else None)
    return config


def _tail(config: Config) -> Path:
    from pacs_ai.node.wiring import node_name  # only a daemon needs it

    return tail_path(config.storage.spool / node_name())


Command = Callable[..., None]


def give(
    command: Command,
    parameter: str,
    options: Mapping[str, object],
    make: Callable[[dict[str, Any], dict[str, Any]], object],
) -> Command:
    """Give a command several options in place of one parameter.

    Parameters
    ----------
    parameter
        Name of the command's own parameter, keyword only.
    options
        The options by name, as Typer takes them in annotations; all may be left out.
    make
        Makes the value of the parameter from what the options were given, and from what the
        other parameters of the command were given.
    """

    def called(*arguments: Any, **values: Any) -> None:  # noqa: ANN401 - as the command takes them
        given = {name: values.pop(name) for name in options}
        command(*arguments, **{parameter: make(given, values)}, **values)

    shown = []
    for own in inspect.signature(command, eval_str=True).parameters.values():
        if own.name == parameter:
            for name, option in options.items():
                default = False if get_args(option)[0] is bool else None
                shown.append(own.replace(name=name, default=default, annotation=option))
        else:
            shown.append(own)
    called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    called.__name__, called.__doc__ = command.__name__, command.__doc__
    return called


def named_job(reference: str) -> str:
    """Refuse an empty id: every id begins so, and a script's unset variable names no job."""
    if not reference.strip():
        raise typer.BadParameter("the JOB is empty")
    return reference


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
