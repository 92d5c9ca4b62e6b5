"""``pacs-ai compare``: runs beside each other, on the same test cases."""

from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.errors import ConfigError
from training.cli.options import AsJson, prepare, print_result
from training.cli.other_data import data_name

Runs = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN...",
        help="Folders of at least two evaluated runs; the others are compared with the first.",
    ),
]
OnData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="OTHER",
        help="Compare the evaluations on these other data: the OTHER of evaluate --data.",
        show_default=False,
    ),
]


def compare(runs: Runs, *, data: OnData = None, as_json: AsJson = False) -> None:
    """Compare evaluated runs on the same test cases, in pairs.

    A table has all runs, that with the highest AUC first. Then each run is compared with the
    first one that is named: AUC, accuracy and F1 with the interval of the difference by drawing
    patients in pairs, and the AUC of each class by DeLong. Runs with other test cases, labels or
    classes are refused. Runs with folds are compared by their out-of-fold predictions.
    """
    if len(runs) < 2:  # noqa: PLR2004 - a comparison needs two
        raise ConfigError("compare needs at least two runs")
    prepare("cpu")
    from training.evaluate.compare import compare as compare_runs
    from training.report.comparison_text import comparison_text
    from training.run.run import Run

    name = None if data is None else data_name(data)
    found = compare_runs([Run.open(folder) for folder in runs], name)
    print_result(found, as_json=as_json, otherwise=comparison_text(found))
