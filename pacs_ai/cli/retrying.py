"""What ``jobs retry`` and ``deliveries retry`` have in common: rows by id, or by a filter."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import typer

from pacs_ai.cli.tables import print_json
from pacs_ai.flow.operate.retrying import Retried
from pacs_ai.store.records import to_dict


def check_choice(
    ids: Sequence[object],
    filters: Mapping[str, str | None],
    state: StrEnum | None,
    allowed: Sequence[StrEnum],
) -> None:
    """Refuse ids together with filters, neither of them, and states that end nothing.

    Raises
    ------
    typer.BadParameter
        To try again all that ever failed, one has to say so: ``--state failed``.
    """
    filtered = any(value is not None for value in (state, *filters.values()))
    if bool(ids) == filtered:
        wrong = "not both" if ids else "for example --state failed"
        raise typer.BadParameter(f"give either ids or filters, {wrong}")
    if state is not None and state not in allowed:
        raise typer.BadParameter(
            f"what is {state} cannot be tried again, only {', '.join(allowed)}",
            param_hint="--state",
        )


def print_retried(done: Retried, names: tuple[str, str], does: str, *, as_json: bool) -> None:
    """Print how many rows are tried again, also if there are none.

    Parameters
    ----------
    names
        What one row is called, and what several are.
    does
        What becomes of them.
    """
    one, several = names
    if as_json:
        print_json(to_dict(done))
    elif not done.ids:
        print(f"nothing to try again: no {one} matches")
    elif len(done.ids) == 1:
        print(f"{one} {done.ids[0]}: {does}")
    else:
        print(f"{done.retried} {several}: {does}")
