"""The download step of a recipe, with its progress display."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from training.download import Fetched, Progress, fetch, open_source
from training.download.source import Series
from training.recipe.data import Data, DicomData


@contextmanager
def bars(console: Console) -> Iterator[Progress]:
    """Show the number of series and bytes that have arrived."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Bars(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=console) as shown:
        task = shown.add_task("Looking up", total=None)
        counts = [0, 0]

        def begin(series: int, there: int, size: int) -> None:
            counts[:] = there, series
            shown.update(task, total=size or None, description=f"{there} of {series} series")

        def advance(count: int) -> None:
            shown.advance(task, count)

        def done(_series: Series) -> None:
            counts[0] += 1
            shown.update(task, description=f"{counts[0]} of {counts[1]} series")

        def wait() -> None:
            console.print("another download is in this folder: waiting until it ends")

        yield Progress(begin, advance, done, wait)


def download(data: Data, console: Console, limit: int | None = None) -> Fetched | None:
    """Download the data of a recipe into its folder; None if it names no collection.

    Parameters
    ----------
    data
        The section ``[data]`` of the recipe.
    console
        Shows the progress.
    limit
        The largest number of patients.

    Raises
    ------
    ConfigError, DataError, PeerError, NoSpace, StorageError
        As `open_source` and `fetch` do.
    """
    if not isinstance(data, DicomData):
        return None
    wanted = [str(data.manifest)] if data.manifest else [data.collection] if data.collection else []
    if not wanted:
        return None
    source = open_source(data.archive, data.server)
    try:
        with bars(console) as progress:
            return fetch(wanted, data.folder, source, progress, conditions=data.fetch, limit=limit)
    finally:
        source.close()
