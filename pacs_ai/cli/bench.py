"""``pacs-ai bench``: how fast this installation is."""

import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from pacs_ai.bench.book import Book
from pacs_ai.bench.page import as_html, as_record, as_text
from pacs_ai.bench.site import bench_site
from pacs_ai.cli.options import ConfigPath, Verbose, group, read_config
from pacs_ai.config import Config, ModelEntry
from pacs_ai.files import atomic_file

app = group("How fast this installation is, on its own machine and with its own models.")

_STUDIES = 1000
_FORMATS = (".html", ".json")


@app.command()
def site(
    *,
    studies: Annotated[
        int, typer.Option("--studies", metavar="N", min=1, help="Send this many one by one.")
    ] = _STUDIES,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="A model of the configuration, or a bundle. Default: that of the first rule.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="PATH",
            help="Write the page to this file too: .html or .json.",
            show_default=False,
        ),
    ] = None,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Measure how long generated studies take, stage by stage, and how many an hour are answered.

    A node and an archive run on this machine meanwhile, with a database and a spool of their own.
    Of the configuration they have the model, [engine] and the durability of [storage].
    """
    if output is not None and output.suffix not in _FORMATS:
        raise typer.BadParameter(f"{output} must end in .html or .json", param_hint="--output")
    settings = read_config(config, verbose=verbose)
    signal.signal(signal.SIGTERM, _interrupt)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    book = bench_site(settings, _entry(settings, model), studies, say)
    print(as_text(book), end="")
    if output is not None:
        _write(book, output)


def _entry(config: Config, model: str | None) -> ModelEntry:
    if model is None:
        first = config.rules[0].models[0] if config.rules else next(iter(config.models))
        return config.models[first]
    return config.models.get(model, ModelEntry(bundle=model))


def _write(book: Book, path: Path) -> None:
    text = as_html(book) if path.suffix == ".html" else f"{json.dumps(as_record(book), indent=2)}\n"
    with atomic_file(path) as file:
        file.write(text.encode())


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as with Ctrl-C, so that node and archive end too."""
    raise KeyboardInterrupt
