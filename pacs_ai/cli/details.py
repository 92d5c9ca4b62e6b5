"""Print one study: on one screen, or with all its rows."""

from collections import Counter
from collections.abc import Sequence

from pacs_ai.cli.tables import Record, cell, print_part, print_record

_SENDERS = ("calling_aet", "called_aet", "instances", "first_received_at", "last_received_at")
CHOICE_COLUMNS = ("keep", "in_use", "images", "from", "first_received_at", "differs_in")
_ALL = {
    "senders": _SENDERS,
    "patients": CHOICE_COLUMNS,
    "not_analysed": ("sop_instance_uid", "revision", "reason"),
    "jobs": ("id", "revision", "model", "state", "attempt", "seconds", "outcome"),
    "results": ("result", "sop_instance_uid", "file"),
    "deliveries": (
        "id",
        "destination",
        "result",
        "state",
        "attempt",
        "status",
        "stored_at",
        "committed_at",
        "reason",
    ),
    "events": ("at", "entity", "from_state", "to_state", "actor", "note"),
}
_JOBS = ("job", "revision", "model", "state", "seconds", "outcome")
_DELIVERIES = ("destination", "results", "state", "last", "reason")
_EVENTS = ("at", "entity", "to_state", "note")
_LAST_EVENTS = 10


def print_all(details: Record) -> None:
    """Print every row of a study."""
    print_record({key: value for key, value in details.items() if key not in _ALL}, "study")
    for name, columns in _ALL.items():
        print_part(name, columns, details[name])


def print_screen(details: Record) -> None:
    """Print a study so that it fits a screen: rows of the same kind are counted."""
    shown = {key: value for key, value in details.items() if key not in (*_ALL, "outcome")}
    print_record(shown, "study", fit=True)
    jobs = [{**job, "job": str(job["id"])[:8]} for job in _rows(details, "jobs")]
    events = _rows(details, "events")
    for name, columns, rows in (
        ("senders", _SENDERS, _rows(details, "senders")),
        ("patients", CHOICE_COLUMNS, _rows(details, "patients")),
        ("not_analysed", ("instances", "reason"), _reasons(_rows(details, "not_analysed"))),
        ("jobs", _JOBS, jobs),
        ("deliveries", _DELIVERIES, _sent(_rows(details, "deliveries"))),
        (f"last of {len(events)} events", _EVENTS, events[-_LAST_EVENTS:]),
    ):
        print_part(name, columns, rows, fit=True)
    print("\nWith --all: every instance, result with its file, delivery and event.")


def _rows(details: Record, name: str) -> list[Record]:
    rows = details[name]
    return list(rows) if isinstance(rows, list) else []


def _reasons(left_out: Sequence[Record]) -> list[Record]:
    counted = Counter(str(one["reason"]) for one in left_out)
    return [{"instances": count, "reason": reason} for reason, count in counted.most_common()]


def _sent(deliveries: Sequence[Record]) -> list[Record]:
    """Group deliveries by destination, state and reason."""
    groups: dict[tuple[object, ...], list[Record]] = {}
    for one in deliveries:
        groups.setdefault((one["destination"], one["state"], one["reason"]), []).append(one)
    return [
        {
            "destination": destination,
            "results": [f"{count} {kind}" for kind, count in _kinds(group)],
            "state": state,
            "last": max(
                (str(cell(one["committed_at"] or one["stored_at"])) for one in group), default=""
            ),
            "reason": reason,
        }
        for (destination, state, reason), group in groups.items()
    ]


def _kinds(deliveries: Sequence[Record]) -> list[tuple[str, int]]:
    return Counter(str(one["result"]).rpartition(" ")[0] for one in deliveries).most_common()
