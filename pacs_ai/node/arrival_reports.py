"""What a process that receives reports to the daemon: which studies grow, and what has ended.

The reports are lines of JSON on its standard output. Only the daemon decides when a study is
complete.
"""

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from pacs_ai.clock import Clock
from pacs_ai.flow.arrivals import ArrivalListener
from pacs_ai.store.completeness import Revision


class ArrivalReporter:
    """Reports to the daemon what `pacs_ai.flow.arrivals.Arrivals` is to note."""

    def stored(self, revision: Revision, association_id: str | None, now: float) -> None:
        """Report an instance."""
        report(stored=[*revision, association_id, now])

    def closed(self, association_id: str, *, released: bool, now: float) -> None:
        """Report the end of an association."""
        report(closed=[association_id, released, now])


def report(**what: Any) -> None:  # noqa: ANN401 - JSON
    """Write one line to the daemon; a line is short enough that the system writes it whole."""
    os.write(sys.stdout.fileno(), json.dumps(what).encode() + b"\n")


def read_reports(
    lines: Iterable[bytes], arrivals: ArrivalListener, clock: Clock
) -> Iterable[dict[str, Any]]:
    """Note what a process reports, until it ends; then its associations have ended, too.

    Yields
    ------
    dict
        The reports that are about something else.
    """
    bringing: set[str] = set()
    for line in lines:
        what: dict[str, Any] = json.loads(line)
        if "stored" in what:
            study_id, revision, association_id, now = what["stored"]
            bringing.add(association_id)
            arrivals.stored((study_id, revision), association_id, now)
        elif "closed" in what:
            association_id, released, now = what["closed"]
            bringing.discard(association_id)
            arrivals.closed(association_id, released=released, now=now)
        else:
            yield what
    for association_id in bringing:
        arrivals.closed(association_id, released=False, now=clock.monotonic())
