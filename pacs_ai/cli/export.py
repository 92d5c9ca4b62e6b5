"""``pacs-ai export``: de-identified copies of studies, or the bundle of a training run."""

import secrets
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, moment, single
from pacs_ai.cli.tables import print_json
from pacs_ai.deidentify.profile import Profile, Retain
from pacs_ai.errors import StateError
from pacs_ai.flow.export.labels import read_labels
from pacs_ai.flow.operate import export as operate
from pacs_ai.store.records import to_dict

app = single()

_SECRET_BYTES = 32


def _valued(name: str, *, metavar: str, text: str) -> Any:  # noqa: ANN401 - Typer's own type
    """Make an option that has a value and may be left out."""
    return typer.Option(name, metavar=metavar, help=text, show_default=False)


@app.command()
@with_node
def export(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STUDY|RUN",
            help="Row ids, Study Instance UIDs, or references of the log; or the folder of a"
            " training run, whose bundle is made.",
            show_default=False,
        ),
    ] = None,
    *,
    since: Annotated[
        str | None,
        _valued(
            "--since",
            metavar="TIME",
            text="All studies with activity since then: 30m, 12h, 7d, or a date and time.",
        ),
    ] = None,
    listed: Annotated[
        Path | None,
        _valued(
            "--list",
            metavar="FILE",
            text="Studies, one in a line; # begins a remark.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        _valued(
            "--out",
            metavar="DIR",
            text="A new folder. For a run: where the bundle goes, by default RUN/bundle.",
        ),
    ] = None,
    retain: Annotated[
        list[Retain] | None,
        _valued(
            "--retain",
            metavar="dates|patient|device",
            text="Keep dates, all of a patient moved by one time; sex, age, size and weight;"
            " manufacturer, model and serial number. Several times for several of them.",
        ),
    ] = None,
    with_burned_in: Annotated[
        bool,
        typer.Option(
            "--with-burned-in",
            help="Also images whose pixels may show text, as secondary captures and ultrasound."
            " Look at each of them.",
        ),
    ] = False,
    secret: Annotated[
        Path | None,
        _valued(
            "--secret",
            metavar="FILE",
            text="The same patients and UIDs get the same names in each export with this file. It"
            " is made if it is not there; whoever has it can find patients again.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        _valued(
            "--labels",
            metavar="FILE",
            text="CSV with the columns study and label, or one for each class with 1, 0 or -1."
            " Default: what feedback says.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        _valued(
            "--device",
            metavar="DEVICE",
            text="For a run, as pacs-ai train.",
        ),
    ] = None,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """Write de-identified copies of the images of studies, ready for pacs-ai train.

    PS3.15, Basic Application Level Confidentiality Profile. What is no image, and images whose
    pixels may show text, are left out and listed. With the folder of a run: make its bundle, if
    the exported network computes the same as the trained one.
    """
    references = [*(studies or ()), *_lines(listed)]
    if len(references) == 1 and listed is None and _names_folder(references[0]):
        _export_run(Path(references[0]), out, device, as_json=as_json)
        return
    if out is None:
        raise typer.BadParameter("say where the copies go", param_hint="--out")
    options = operate.ExportOptions(
        studies=references,
        since=moment(since),
        profile=Profile(frozenset(retain or ())),
        with_burned_in=with_burned_in,
        secret=None
        if secret is None
        else operate.export_secret(secret, make=secrets.token_bytes(_SECRET_BYTES)),
        labels=None if labels is None else read_labels(labels),
    )
    with node_to_open as node:
        made = operate.export_studies(node, out, options)
    if as_json:
        print_json(to_dict(made))
        return
    for one in made.left_out:
        image = "" if one.instance is None else f", image {one.instance}"
        print(f"left out: study {one.study}{image}: {one.reason}", file=sys.stderr)
    print(
        f"{made.folder}: {made.images} images of {made.studies} studies of {made.patients}"
        f" patients, {made.labelled} studies with a label; {len(made.left_out)} left out"
    )


def _names_folder(reference: str) -> bool:
    """Tell a run from a study, whose names never have a slash."""
    return "/" in reference or Path(reference).is_dir()


def _lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{path}: cannot be read ({type(error).__name__})") from None
    return [line for part in text.splitlines() if (line := part.partition("#")[0].strip())]


def _export_run(run: Path, out: Path | None, device: str | None, *, as_json: bool) -> None:
    from pacs_ai.cli.training import training_function

    training_function("export")(run, out=out, device=device, as_json=as_json)
