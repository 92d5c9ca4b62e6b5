"""Print one study: on one screen, or with all its rows."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from pacs_ai.cli.tables import Record, print_part, print_record, with_zone
from pacs_ai.flow.operate.trail import TrailLine, summed
from pacs_ai.store.records import EventRecord, StudyDetails, to_dict

_SENDERS = ("calling_aet", "called_aet", "instances", "first_received_at", "last_received_at")
CHOICE_COLUMNS = ("keep", "in_use", "images", "from", "first_received_at", "differs_in")
_REVISIONS = ("revision", "images", "signal", "reason", "where_the_time_went")
_STEPS = ("revision", "step", "begin", "seconds", "peer", "results", "reason")
_ALL = {
    "revisions": _REVISIONS,
    "steps": _STEPS,
    "senders": _SENDERS,
    "patients": CHOICE_COLUMNS,
    "not_analysed": ("sop_instance_uid", "revision", "reason"),
    "jobs": ("id", "revision", "model", "priority", "state", "attempt", "seconds", "outcome"),
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
_JOBS = ("job", "revision", "model", "priority", "state", "seconds", "outcome")
_DELIVERIES = ("destination", "results", "state", "last", "reason")
_EVENTS = ("at", "entity", "to_state", "note")
_LAST_EVENTS = 10
_LAST_STEPS = 12
_SAME_STEP = ("step", "job", "peer", "results")


def print_all(details: Record) -> None:
    """Print every row of a study."""
    print_record({key: value for key, value in details.items() if key not in _ALL}, "study")
    for name, columns in _ALL.items():
        rows = _revisions(details) if name == "revisions" else details[name]
        print_part(name, columns, rows)


def print_timeline(record: Record) -> None:
    """Print the steps of a study, and where the time of each revision went."""
    shown = {key: value for key, value in record.items() if key not in ("revisions", "steps")}
    print_record(shown, "study", fit=True)
    print_part("revisions", _REVISIONS, _revisions(record), fit=True)
    print_part("steps", _STEPS, _in_words(_rows(record, "steps")), fit=True)


def print_screen(study: StudyDetails) -> None:
    """Print a study so that it fits a screen: rows of the same kind are counted."""
    details = to_dict(study)
    shown = {key: value for key, value in details.items() if key not in (*_ALL, "outcome")}
    print_record(shown, "study", fit=True)
    jobs = [{**job, "job": str(job["id"])[:8]} for job in _rows(details, "jobs")]
    for name, columns, rows in (
        ("revisions", _REVISIONS, _revisions(details)),
        ("steps", _STEPS, _last_steps(details)),
        ("senders", _SENDERS, _rows(details, "senders")),
        ("patients", CHOICE_COLUMNS, _rows(details, "patients")),
        ("not_analysed", ("instances", "reason"), _reasons(_rows(details, "not_analysed"))),
        ("jobs", _JOBS, jobs),
        ("deliveries", _DELIVERIES, _sent(_rows(details, "deliveries"))),
        (f"last of {len(study.events)} events", _EVENTS, _last_events(study.events)),
    ):
        print_part(name, columns, rows, fit=True)
    print("\nWith --all: every instance, result with its file, delivery and event.")


def _rows(details: Record, name: str) -> list[Record]:
    rows = details[name]
    return list(rows) if isinstance(rows, list) else []


def _revisions(details: Record) -> list[Record]:
    """Return the revisions, each with where its time went in one text."""
    return [
        {**one, "where_the_time_went": spent_text(_rows(one, "spent"))}
        for one in _rows(details, "revisions")
    ]


def spent_text(spent: Sequence[Record]) -> str:
    """Say where the time went: ``receiving 1.0 s, delivery sending (pacs) 0.2 s``."""
    said = []
    for one in spent:
        peer = f" ({one['peer']})" if one["peer"] else ""
        said.append(f"{words(one['step'])}{peer} {one['seconds']:.1f} s")
    return ", ".join(said)


def words(step: object) -> str:
    """Write the name of a step for people."""
    return str(step).replace("_", " ")


def _last_steps(details: Record) -> list[Record]:
    """Return the last steps of the newest revision; of attempts, the last one with their number."""
    attempts: dict[tuple[object, ...], list[Record]] = {}
    for one in _rows(details, "steps"):
        if one["revision"] == details["revision"]:
            # attempts that failed have a reason, and are counted apart
            same = (*(one[key] for key in _SAME_STEP), bool(one["reason"]))
            attempts[same] = before = attempts.pop(same, [])  # the place is that of the last one
            before.append(one)
    steps = [
        {**same[-1], "step": f"{same[-1]['step']} ({len(same)} times)"} if same[1:] else same[0]
        for same in attempts.values()
    ]
    return _in_words(steps[-_LAST_STEPS:])


def _last_events(events: Sequence[EventRecord]) -> list[Record]:
    """Return the last events; the attempts of one job or delivery are one line."""
    lines = summed(events)[-_LAST_EVENTS:]
    return [{**to_dict(line.event), "note": _note(line)} for line in lines]


def _note(line: TrailLine) -> str:
    note = line.event.note
    if line.since is None:
        return note
    said = f"; the last time: {note}" if note else ""
    return f"{line.times} times since {with_zone(line.since)}{said}"


def _in_words(steps: Sequence[Record]) -> list[Record]:
    return [{**one, "step": words(one["step"]), "results": one["results"] or ""} for one in steps]


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
            "last": max(filter(None, map(_arrived_at, group)), default=None),
            "reason": reason,
        }
        for (destination, state, reason), group in groups.items()
    ]


def _arrived_at(delivery: Record) -> datetime | None:
    at = delivery["committed_at"] or delivery["stored_at"]
    return at if isinstance(at, datetime) else None


def _kinds(deliveries: Sequence[Record]) -> list[tuple[str, int]]:
    return Counter(str(one["result"]).rpartition(" ")[0] for one in deliveries).most_common()
