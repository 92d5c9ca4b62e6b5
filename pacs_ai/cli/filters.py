"""Options that select rows, the same for all commands that list rows or try them again."""

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from pacs_ai.cli.options import Command, give, moment
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import selection
from pacs_ai.store.selection import Filter

Filters = Mapping[str, str | None]
"""What the options were given, by the name of the option."""


def _option(name: str, metavar: str, text: str) -> object:
    option = typer.Option(f"--{name}", metavar=metavar, help=text, show_default=False)
    return Annotated[str | None, option]


def _time(name: str, what: str) -> object:
    ago = " ago" if name == "before" else ""
    text = f"Only what {what} {name}: 30m, 12h, 7d{ago}, or a date and time (UTC)."
    return _option(name, "TIME", text)


_OPTIONS = {
    "study": _option("study", "STUDY", "Of this study: row id or Study Instance UID."),
    "sender": _option("sender", "AET", "Of studies that came from this calling AE title."),
    "peer": _option("peer", "NAME", "With results for this destination, a name of [peers.x]."),
    "model": _option("model", "NAME", "With work of this model."),
    "since": _time("since", "happened"),
    "before": _time("before", "happened"),
}
_OF_STATE = {
    "since": _time("since", "came to this state"),
    "before": _time("before", "came to this state"),
}


def state_option(text: str) -> object:
    """Return the option that names a state of the rows."""
    return typer.Option("--state", case_sensitive=False, help=text, show_default=False)


def with_filters(*names: str, of_state: bool = False) -> Callable[[Command], Command]:
    """Give a command some of these options, in this order, as its parameter ``filters``.

    Parameters
    ----------
    of_state
        Whether the times are those at which a row came to its state.
    """
    known = {**_OPTIONS, **_OF_STATE} if of_state else _OPTIONS
    options = {name: known[name] for name in names}
    return lambda command: give(command, "filters", options, lambda given, _: given)


def wanted(
    node: FlowContext, filters: Filters, *, state: str | None = None, limit: int = 50
) -> Filter:
    """Make the filter that the options describe.

    Raises
    ------
    StateError
        If there is no such study.
    typer.BadParameter
        If a time cannot be read.
    """
    others = {name: filters.get(name) for name in ("study", "sender", "peer", "model")}
    return selection(
        node,
        state=state,
        since=moment(filters.get("since")),
        before=moment(filters.get("before"), "--before"),
        limit=limit,
        **others,
    )
