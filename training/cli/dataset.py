"""``pacs-ai dataset``: the dataset of a recipe, without training."""

from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.errors import ConfigError
from training.cli import need_extra
from training.cli.chatter import hide_chatter
from training.cli.options import AsJson, Limit, RecipeName, print_result, read_recipe


def dataset(
    recipe: RecipeName,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for dataset.json, leakage.csv (if splits share images) and samples.png "
            "(training images with augmentation). Default: no files.",
            show_default=False,
        ),
    ] = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Show the dataset of a recipe: splits, classes, leakage, and images left out.

    Nothing is downloaded and nothing is trained.
    """
    need_extra("httpx", "tenacity", "tomli_w")
    hide_chatter()
    chosen = read_recipe(recipe, seed=None, limit=limit, epochs=None)
    from rich.console import Console

    from training.data.build import build
    from training.data.report import summary, text, write_report
    from training.run.disk import make_folder
    from training.run.run import STATE

    if out is not None and (out / STATE).exists():
        raise ConfigError(f"--out {out}: the folder has a run, which has a dataset of its own")
    built = build(chosen, Console(stderr=True), make_folder(out) if out is not None else None)
    if out is not None:
        from training.data.contact_sheet import contact_sheet

        write_report(out, built.dataset, built.findings, built.pixels)
        contact_sheet(built.dataset.train, chosen, out / "samples.png")
    print_result(
        summary(built.dataset, built.findings),
        as_json=as_json,
        otherwise=text(built.dataset, built.findings),
    )
