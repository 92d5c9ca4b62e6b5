"""``pacs-ai init``: a commented configuration from a few questions, or from flags."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from pacs_ai.cli.greeting import explicit
from pacs_ai.cli.init_values import Answers, configuration
from pacs_ai.cli.options import ConfigPath, Verbose, give, single
from pacs_ai.cli.peers import find_peer
from pacs_ai.cli.tls import DAYS, FOLDER, KEYS, config_folder, make_certificates
from pacs_ai.config import Config, load_config
from pacs_ai.config.load import FILE_NAME
from pacs_ai.config.sections import AETitle, Caller
from pacs_ai.config.template import MODEL
from pacs_ai.errors import ConfigError, ModelError
from pacs_ai.files import atomic_write, translated
from pacs_ai.model.bundle import ModelBundle, load_bundle
from pacs_ai.net.scu.client import PeerAddress

app = single()


def _checked(kind: Any, text: str) -> str:  # noqa: ANN401 - an annotated type
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{text!r}: {reason}") from None
    return text


def _title(text: str) -> str:
    return _checked(AETitle, text)


def _callers(text: str) -> list[str]:
    return [_checked(Caller, part.strip()) for part in text.split(",") if part.strip()]


def _archive(text: str) -> PeerAddress | None:
    return find_peer(Config(peers={}), text) if text.strip() else None


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:  # noqa: PLR2004 - the ports of TCP
        raise ConfigError(f"{text!r} is no TCP port: 0 to 65535")
    return number


def _bundle(text: str) -> ModelBundle | None:
    """Return the bundle of a model; None for the demonstration's, which the template names."""
    try:
        return None if text == MODEL else load_bundle(text)
    except ModelError as error:
        raise ConfigError(f"model: {error.message}") from None


@dataclass(frozen=True, slots=True)
class _Question:
    """A flag and its question; without a check it is a question for yes or no."""

    name: str
    text: str
    default: str | bool
    check: Callable[[str], object] | None = None


_QUESTIONS = (
    _Question("aet", "AE title of this node", "PACS_AI", _title),
    _Question("port", "TCP port for DICOM", "11112", _port),
    _Question("archive", "Archive that gets the results, AET@host:port; empty: none", "", _archive),
    _Question("storage", "Folder for images, results and the database", "var", str),
    _Question("model", "Model: demo, or the folder of a bundle", MODEL, _bundle),
    _Question("web", "Serve the page, on this machine only?", default=True),
    _Question("tls", "DICOM over TLS, with certificates for a test?", default=False),
)
_TEXT = str | None
_OPTIONS = {
    "aet": Annotated[_TEXT, typer.Option("--aet", metavar="AET", help="AE title of this node.")],
    "host": Annotated[
        _TEXT,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen on. Default: this machine only, or all addresses if somebody"
            " else may send.",
        ),
    ],
    "port": Annotated[_TEXT, typer.Option("--port", metavar="N", help="TCP port for DICOM.")],
    "accept_from": Annotated[
        _TEXT,
        typer.Option(
            "--accept-from",
            metavar="AET,...",
            help="AE titles that may send. Default: the archive if it is on another machine.",
        ),
    ],
    "archive": Annotated[
        _TEXT,
        typer.Option("--archive", metavar="AET@HOST:PORT", help="Where the results go."),
    ],
    "archive_tls": Annotated[
        bool | None,
        typer.Option(
            "--archive-tls/--no-archive-tls", help="Speak TLS to it. Default: as the node does."
        ),
    ],
    "model": Annotated[
        _TEXT, typer.Option("--model", metavar="PATH|demo", help="Folder of a bundle, or demo.")
    ],
    "storage": Annotated[
        _TEXT,
        typer.Option("--storage", metavar="DIR", help="Folder for images, results, the database."),
    ],
    "web": Annotated[bool | None, typer.Option("--web/--no-web", help="Serve the page.")],
    "web_port": Annotated[
        _TEXT, typer.Option("--web-port", metavar="N", help="TCP port of the page.")
    ],
    "tls": Annotated[
        bool | None,
        typer.Option(
            "--tls/--no-tls",
            help="DICOM over TLS, with the certificates in the folder tls beside the file; those of"
            " pacs-ai tls init are made if it has none.",
        ),
    ],
}


def _init(
    *,
    flags: Answers,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: take the defaults for the rest.")
    ] = False,
    config: ConfigPath = None,
    verbose: Verbose = False,  # noqa: ARG001 - every command has it
) -> None:
    """Write a commented configuration of a node, as ./pacs-ai.toml or where --config says.

    On a terminal it asks for what no flag says. The file has every key there is, with its
    comment; config check and listen take it as it is. An existing file is not overwritten.
    """
    file = config or Path(FILE_NAME)
    if file.exists():
        raise ConfigError(f"{file} exists: change it, or name another file with --config")
    answers = _answered(flags, ask=sys.stdin.isatty() and not yes)
    base = config_folder(config)
    text = configuration(answers, base)
    if answers.get("tls"):
        _certificates(base / FOLDER)
    _write(file, text)
    print(f"{file} is written. Next:")
    print(f"  pacs-ai config check{explicit(file)}")
    print(f"  pacs-ai listen{explicit(file)}")


app.command()(give(_init, "flags", _OPTIONS, lambda given, _: given))


def _answered(flags: Answers, *, ask: bool) -> Answers:
    """Return what the flags say, checked, and on a terminal what a person answers to the rest."""
    found = {name: value for name, value in flags.items() if value is not None}
    unasked: dict[str, Callable[[str], object]] = {"web_port": _port, "accept_from": _callers}
    for name in found.keys() & unasked.keys():
        found[name] = unasked[name](found[name])
    for question in _QUESTIONS:
        name, check = question.name, question.check
        if name in found:
            found[name] = found[name] if check is None else check(found[name])
        elif ask:
            found[name] = _asked(question)
    return {name: value for name, value in found.items() if value is not None}


def _asked(question: _Question) -> object:
    """Ask until the answer is one."""
    if question.check is None:
        return typer.confirm(question.text, default=bool(question.default))
    while True:
        given = typer.prompt(question.text, default=question.default, type=str)
        try:
            return question.check(given)
        except ConfigError as error:
            print(error.message, file=sys.stderr)


def _certificates(folder: Path) -> None:
    """Make the certificates, unless the folder has those that ``[tls]`` names."""
    if all((folder / name).is_file() for name in KEYS.values()):
        return
    until = make_certificates(folder, [], DAYS)
    print(f"{folder}: certificates for a test, valid until {until:%Y-%m-%d}")


def _write(file: Path, text: str) -> None:
    """Write the file, and leave nothing of it if it cannot be read as a configuration."""
    with translated(file.parent, "cannot be made"):
        file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, text, replace=False)
    try:
        load_config(file)
    except ConfigError:
        file.unlink()
        raise
