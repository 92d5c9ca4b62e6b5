"""What the node looks like as a whole: is anything wrong, what is open, what it is to do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pacs_ai
from pacs_ai.checks import Finding, Severity
from pacs_ai.checks.storage import database, spool
from pacs_ai.checks.tls import expiry
from pacs_ai.config import Config, Rule, conditions, describe
from pacs_ai.domain import DeliveryState, JobState, StudyState
from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_rules import node_of
from pacs_ai.flow.replaced_runtimes import ReplacedRuntime, replaced_runtimes
from pacs_ai.flow.watch_drift import DriftAlarm, drift_alarms
from pacs_ai.store import open_work, rule_sets
from pacs_ai.store.open_work import Open
from pacs_ai.store.rule_sets import RuleSet
from pacs_ai.store.waiting_jobs import OFF_PEAK

_CHECKS = (spool, database, expiry)
_LATE = timedelta(minutes=15)
"""Work that is open for longer is something to look at."""

_ENDED_BADLY = (StudyState.CONFLICT, JobState.FAILED, DeliveryState.FAILED)

_WAITING = (JobState.QUEUED, JobState.WAITING, DeliveryState.PENDING, DeliveryState.WAITING)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that a person should look at: what it is, and what to do."""

    what: str
    text: str
    remedy: str
    kind: str
    """``check``, or the kind of rows: ``studies``, ``jobs``, ``deliveries``, ``models``."""
    state: str
    """State of those rows; "" for a check and for models."""
    since: datetime | None = None
    """When the oldest of those rows was made, or the alarm began; None for a check."""


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """The node as a whole; ``wrong`` is empty if all is well."""

    version: str
    ae_title: str
    now: datetime
    wrong: list[Trouble]
    studies: list[Open]
    jobs: list[Open]
    deliveries: list[Open]
    drift: list[DriftAlarm]
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """A rule; operands that may name a patient are hidden."""

    name: str
    model: str
    send_to: list[str]
    results: list[str]
    when_not_analysable: str
    when: dict[str, Any]
    priority: str
    off_peak: str
    """Hours in which jobs begin; "" for all."""
    series: dict[str, Any] | None
    conditions: list[str]
    """``when`` in words."""


def status(node: FlowContext) -> StatusRecord:
    """Look at the node."""
    now = node.now()
    with node.database.read() as session:
        found = {
            "studies": list(open_work.open_studies(session)),
            "jobs": list(open_work.open_jobs(session)),
            "deliveries": list(open_work.open_deliveries(session)),
        }
        by_hours = open_work.open_jobs_by_hours(session)
        refused = rule_sets.refused_last(session, node_of(node))
    checks = [finding for check in _CHECKS for finding in check(node.config)]
    wrong = [_of_check(one) for one in checks if one.severity is not Severity.OK]
    wrong += _stopped(node)
    at_any_time = [one for one in by_hours if one.state != OFF_PEAK]
    for kind, rows in {**found, "jobs": at_any_time}.items():
        wrong += [_of_rows(kind, one) for one in rows if _is_wrong(kind, one, now)]
    wrong += [_of_refusal(refused)] if refused is not None else []
    wrong += [_of_runtime(one) for one in _replaced(node)]
    drift = list(drift_alarms(node))
    wrong += [_of_drift(one) for one in drift]
    return StatusRecord(
        version=pacs_ai.__version__,
        ae_title=node.config.node.ae_title,
        now=now,
        wrong=wrong,
        **found,
        drift=drift,
        free_bytes=_free(node),
    )


def nodes(node: FlowContext) -> list[tuple[str, bool]]:
    """Return the nodes that share the spool, and whether the daemon of each runs."""
    try:
        return [(name, node.spool.works(name)) for name in node.spool.nodes()]
    except StorageError:
        return []


def _stopped(node: FlowContext) -> list[Trouble]:
    """Say that no daemon runs: `pacs-ai web` serves the page without one."""
    known = nodes(node)
    if not known or any(works for _, works in known):
        return []
    return [Trouble("node", "no daemon runs", "start one: pacs-ai listen", "check", "")]


def rules(config: Config) -> list[RuleRecord]:
    """Return the rules."""
    return [
        RuleRecord(
            name=rule.name,
            model=", ".join(rule.models),
            send_to=list(rule.send_to),
            results=[str(kind) for kind in rule.results],
            when_not_analysable=rule.when_not_analysable,
            when=conditions.redacted(rule.when),
            priority=rule.priority,
            off_peak="" if rule.off_peak is None else str(rule.off_peak),
            series=_redacted_series(rule),
            conditions=conditions.in_words(rule.when, conditions.may_name_a_patient),
        )
        for rule in config.rules
    ]


def redacted(config: Config) -> dict[str, Any]:
    """Return the configuration without passwords and without what may name a patient."""
    shown = describe(config)
    shown["rules"] = [
        {**rule, "when": conditions.redacted(rule["when"]), "series": _redacted_series(one)}
        for rule, one in zip(shown["rules"], config.rules, strict=True)
    ]
    shown["routing"]["urgent"] = conditions.redacted(config.routing.urgent)
    return shown


def _redacted_series(rule: Rule) -> dict[str, Any] | None:
    if rule.series is None:
        return None
    when = conditions.redacted(rule.series.when)
    return {**rule.series.model_dump(mode="json"), "when": when}


def _of_check(finding: Finding) -> Trouble:
    return Trouble(finding.name, finding.text, finding.remedy, "check", "")


def _of_refusal(refused: RuleSet) -> Trouble:
    text = (
        f"refused at {refused.at:%Y-%m-%d %H:%M} UTC, the earlier ones are in force: {refused.text}"
    )
    return Trouble("rules", text, "correct the file, then pacs-ai rules reload", "check", "")


def _is_wrong(kind: str, rows: Open, now: datetime) -> bool:
    """Whether rows have failed, or wait for a person or for too long."""
    return rows.state in _ENDED_BADLY or (kind != "studies" and now - rows.oldest > _LATE)


def _of_rows(kind: str, rows: Open) -> Trouble:
    to = {"jobs": f" of {rows.name}", "deliveries": f" to {rows.name}", "studies": ""}[kind]
    remedy = {
        "studies": "say whose study it is",
        "jobs": "look at the reason, then try again",
        "deliveries": "look at the destination, then try again",
    }[kind]
    text = f"{rows.count} {rows.state}"
    return Trouble(f"{kind}{to}", text, remedy, kind, rows.state, rows.oldest)


def _of_drift(alarm: DriftAlarm) -> Trouble:
    return Trouble(
        f"drift of {alarm.sender or 'other senders'}",
        f"its {alarm.modality} studies do not look like the validation images of {alarm.model}"
        f" ({alarm.statistics})",
        "look at the images and at the scanner; do not rely on the scores before",
        "models",
        "",
        alarm.since,
    )


def _replaced(node: FlowContext) -> list[ReplacedRuntime]:
    try:
        return list(replaced_runtimes(node.spool))
    except StorageError:
        return []  # the check of the spool says that


def _of_runtime(one: ReplacedRuntime) -> Trouble:
    remedy = "look at the GPU, its driver and its memory, then start the node again"
    return Trouble(f"runtime of {one.where}", one.text, remedy, "models", "", one.since)


def waiting(found: StatusRecord) -> list[tuple[str, Open]]:
    """Return what is open and not yet something to look at: its kind, and the rows."""
    return [
        (kind, one)
        for kind, rows in (("jobs", found.jobs), ("deliveries", found.deliveries))
        for one in rows
        if one.state in _WAITING and not _is_wrong(kind, one, found.now)
    ]


def _free(node: FlowContext) -> int | None:
    try:
        return node.spool.free_bytes()
    except StorageError:
        return None
