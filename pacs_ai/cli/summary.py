"""The lines below the lists: what each destination has received, and what is still open."""

from collections.abc import Sequence
from datetime import datetime

from pacs_ai.cli.tables import ago, screen_width, wrapped
from pacs_ai.store.sending import DestinationSummary


def print_destinations(sums: Sequence[DestinationSummary], now: datetime) -> None:
    """Print one line for each destination.

    Parameters
    ----------
    now
        Time at which the age of the oldest open delivery is measured.
    """
    from rich.cells import cell_len, set_cell_size

    if not sums:
        return
    print()
    width = max(cell_len(one.destination) for one in sums) + 2
    for one in sums:
        lines = wrapped(f"{_states(one)}{_oldest(one, now)}", screen_width() - width)
        for number, line in enumerate(lines):
            print(set_cell_size("" if number else one.destination, width) + line)


def _states(one: DestinationSummary) -> str:
    return ", ".join(f"{count} {state}" for state, count in one.deliveries.items())


def _oldest(one: DestinationSummary, now: datetime) -> str:
    if one.waiting_since is None:
        return ""
    return f"; the oldest open one is {ago(now - one.waiting_since)} old"
