"""``pacs-ai dataset``: what a recipe would learn from, without learning."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import AsJson, Limit, RecipeName, read_recipe, say


def dataset(
    recipe: RecipeName,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where dataset.json goes, leakage.csv if splits share images, and samples.png, "
            "the images as the network sees them. Default: nowhere.",
            show_default=False,
        ),
    ] = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Look at the data of a recipe: splits, classes, leakage, and what cannot be used.

    Nothing is downloaded and nothing is trained.
    """
    chosen = read_recipe(recipe, seed=None, limit=limit, epochs=None)
    from rich.console import Console

    from training.data.build import build
    from training.data.report import summary, text, write_report
    from training.run.disk import made

    built = build(chosen, Console(stderr=True), made(out) if out is not None else None)
    if out is not None:
        from training.data.sheet import contact_sheet

        write_report(out, built.dataset, built.findings, built.pixels)
        contact_sheet(built.dataset.train, chosen, out / "samples.png")
    say(
        summary(built.dataset, built.findings),
        as_json=as_json,
        otherwise=text(built.dataset, built.findings),
    )
