"""``pacs-ai mlflow``: copy runs into an MLflow store."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.errors import ConfigError
from training.cli import need_extra
from training.cli.options import AsJson, print_result

RunFolders = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, finished or not.")
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="URI",
        envvar="MLFLOW_TRACKING_URI",
        help="A folder, or a tracking URI of MLflow. Only a URI of a server uses the network. "
        "Default: the folder mlruns here.",
        show_default=False,
    ),
]
Experiment = Annotated[
    str, typer.Option("--experiment", metavar="NAME", help="The experiment of MLflow.")
]


def mlflow(
    runs: RunFolders, *, to: To = None, experiment: Experiment = "pacs-ai", as_json: AsJson = False
) -> None:
    """Copy runs into an MLflow store: parameters, metrics of each epoch, figures and files.

    A repetition replaces the copy of a run that has changed, and leaves others as they are. Files
    with a row for each image (split.csv, images.csv, studies.csv) and the data are not copied;
    reports and sample pictures show images.
    """
    if to == "":
        raise ConfigError("--to is empty: give a folder or a URI, or leave the option out")
    need_extra("mlflow", extra="mlflow")
    need_extra("tomli_w")
    from training.run.run import Run
    from training.tracking import STORE, copy_to_mlflow

    uri = str(STORE.resolve()) if to is None else to
    opened = [Run.open(folder) for folder in runs]
    found = [asdict(copy_to_mlflow(run, uri, experiment)) for run in opened]
    lines = [
        f"{each['run']}: {'already there' if each['unchanged'] else 'copied'}, run {each['run_id']}"
        for each in found
    ]
    print_result({"uri": uri, "runs": found}, as_json=as_json, otherwise="\n".join(lines))
