"""``pacs-ai download``: download images of an archive."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from pacs_ai.errors import ConfigError
from training.cli import need_extra
from training.cli.options import AsJson, print_result
from training.recipe.data import Archive

Wanted = Annotated[
    list[str],
    typer.Argument(
        metavar="COLLECTION | FILE.tcia | SERIES ...",
        help="A collection's name, a manifest, or Series Instance UIDs.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="COLUMN=VALUE",
        help="Only series with this value in a column of the series list: Modality=CT. Globs are "
        "allowed; repeat it for several columns.",
        show_default=False,
    ),
]


def download(
    wanted: Wanted,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Target folder. Default: data/NAME, with the name of the collection.",
            show_default=False,
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            metavar="URL",
            help="Address of an NBIA server, up to /services, or of the IDC buckets, with {bucket} "
            "for the name. Default: the public one.",
            show_default=False,
        ),
    ] = None,
    archive: Annotated[
        str,
        typer.Option(
            "--archive",
            metavar="NAME",
            help="nbia, The Cancer Imaging Archive, or idc, the Imaging Data Commons.",
        ),
    ] = "nbia",
    where: Where = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="The largest number of patients.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option("--threads", metavar="N", min=1, max=8, help="Series at the same time.")
    ] = 4,
    as_json: AsJson = False,
) -> None:
    """Download images of a public archive, and verify each.

    The same command resumes a download that was stopped: complete series are not fetched again.
    Licences and citations are written into the folder.
    """
    need_extra("httpx", "tenacity")
    from rich.console import Console

    from training.download import fetch, open_source
    from training.download.step import bars

    folder = out if out is not None else Path("data") / Path(wanted[0]).stem
    source = open_source(_archive(archive), server or "")
    try:
        with bars(Console(stderr=True)) as progress:
            fetched = fetch(
                wanted,
                folder,
                source,
                progress,
                conditions=_conditions(where or []),
                limit=limit,
                threads=threads,
            )
    finally:
        source.close()
    counts = {name: value for name, value in asdict(fetched).items() if name != "series"}
    print_result(
        {"folder": str(folder), "series": len(fetched.series), **counts},
        as_json=as_json,
        otherwise=f"{len(fetched.series)} series, {fetched.images} images in {folder}; "
        f"{fetched.new_series} are new. Licences: {folder / 'licences.json'}",
    )


def _archive(name: str) -> Archive:
    for known in get_args(Archive):
        if name == known:
            return cast("Archive", name)
    raise ConfigError(f"--archive {name}: it is {' or '.join(get_args(Archive))}")


def _conditions(where: list[str]) -> dict[str, str]:
    conditions = {}
    for text in where:
        column, parted, value = text.partition("=")
        if not parted or not column:
            raise ConfigError(f"--where {text}: write COLUMN=VALUE")
        conditions[column] = value
    return conditions
