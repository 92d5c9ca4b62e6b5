"""``pacs-ai accept``: test a model on local cases before it goes live."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.acceptance.run import Outcome, Question, accept, write
from pacs_ai.cli.infer import load_model
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, read_config, single
from pacs_ai.cli.tables import print_json, print_table
from pacs_ai.errors import DataError, NotAccepted
from pacs_ai.pages.figures import NAMES, span, value

app = single()

_SHOWN = ("auc", "sensitivity", "specificity", "calibration_error")


@app.command()
def _accept(
    bundle: Annotated[
        str,
        typer.Argument(metavar="BUNDLE", help="Name in [models.*], a shipped bundle, or a folder."),
    ],
    cases: Annotated[Path, typer.Argument(metavar="CASES", help="Folder of DICOM studies.")],
    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="CSV: a row for each study, with its labels.")
    ],
    *,
    limits: Annotated[
        Path | None,
        typer.Option(
            "--limits", metavar="FILE", help="TOML with the limits to keep.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder of the page and its values.")
    ] = Path("acceptance"),
    sign: Annotated[
        Path | None,
        typer.Option(
            "--sign",
            metavar="KEY",
            help="Sign the page with this secret key of minisign (without passphrase).",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Test a model on local cases: the same images and the same values as in the node.

    Exit code 1 if a limit is not kept.
    """
    settings = read_config(config, verbose=verbose)
    classifier = load_model(settings, bundle)
    outcome = accept(classifier, Question(cases, truth, limits), _progress)
    page = write(outcome, output, sign)
    if as_json:
        print_json(outcome.values)
    else:
        _show(outcome, page)
    counted = outcome.values["studies"]
    if outcome.passed is False:
        failed = [one["about"] for one in outcome.values["checks"] if not one["kept"]]
        raise NotAccepted(f"limits that are not kept: {'; '.join(failed)}")
    if not counted["analysed"]:
        raise DataError(f"none of {counted['all']} studies can be analysed: see {page}")


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {of} studies", end="\n" if done == of else "", file=sys.stderr)


def _show(outcome: Outcome, page: Path) -> None:
    counted, table = outcome.values["studies"], outcome.values["all"]
    print(f"{counted['analysed']} of {counted['all']} studies analysed")
    if table is not None:
        overall = table["overall"]
        rows = [(NAMES[name], value(overall[name]), span(overall[name])) for name in _SHOWN]
        print_table(("figure", "value", "95 % interval"), rows)
    for one in outcome.values["checks"]:
        kept = "kept" if one["kept"] else "NOT KEPT"
        print(f"{kept}: {one['about']}: {one['found']}, {one['limit']}")
    print(f"inputs {outcome.values['inputs']['all']}")
    print(page)
