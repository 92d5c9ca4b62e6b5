"""The metrics by name: what each means, and how it is made of what the node knows.

Names, labels and units follow the conventions of Prometheus. Labels have values that the node or
its configuration determines: states, statuses, names of models and peers. Nothing that a sender
chooses becomes a label.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from pacs_ai.flow import traffic
from pacs_ai.flow.replaced_runtimes import ReplacedRuntime
from pacs_ai.flow.watch_drift import TENTHS
from pacs_ai.metrics import totals
from pacs_ai.metrics.totals import OTHER, Times, Totals
from pacs_ai.store.drift_tables import DriftStream
from pacs_ai.store.open_work import Open

_COMMITMENTS = {
    ("STORED", "COMMITTING"): "requested",
    ("COMMITTING", "COMMITTED"): "committed",
    ("COMMITTING", "COMMITTING"): "requested_again",
    ("COMMITTING", "PENDING"): "refused",
    ("COMMITTING", "STORED"): "given_up",
    ("COMMITTING", "FAILED"): "failed",
}


def of_listener(counts: traffic.Traffic) -> Iterator[Metric]:
    """Give what the listener has done since the node's first start."""
    yield _counter("associations", "Associations accepted.", {(): counts.associations})
    yield _gauge("associations_open", "Associations open now.", {(): counts.open})
    yield _counter(
        "associations_ended",
        "Associations that have ended, by outcome.",
        {(outcome,): count for outcome, count in counts.ended.items()},
        "outcome",
    )
    yield _counter(
        "store_answers",
        "C-STORE requests answered, by DIMSE status in hexadecimal; 0000 is success.",
        {(f"{status:04X}",): count for status, count in counts.answers.items()},
        "status",
    )
    yield _counter("received_bytes", "Bytes of the data sets received.", {(): counts.bytes})
    yield _histogram(
        "store_seconds",
        "Time to store an instance, from its last byte to its answer.",
        traffic.SECONDS,
        {(): Times(counts.seconds, list(counts.classes))},
    )


def of_changes(known: Totals, behind: int) -> Iterator[Metric]:
    """Give the totals over the audit trail.

    Parameters
    ----------
    behind
        Changes that are not counted yet.
    """
    for entity, label in (("study", ""), ("job", "model"), ("delivery", "destination")):
        labels = (label, "state") if label else ("state",)
        counts: dict[tuple[str, ...], float] = {}
        for (one, name, _, after), count in known.counts.items():
            if one == entity:
                key = (name, after.lower()) if label else (after.lower(),)
                counts[key] = counts.get(key, 0) + count
        plural = {"study": "studies", "job": "jobs", "delivery": "deliveries"}[entity]
        yield _counter(plural, f"{plural.capitalize()} that came into a state.", counts, *labels)
    yield _counter(
        "commitments", "Storage commitments.", _commitments(known), "destination", "step"
    )
    yield _histogram(
        "stage_seconds",
        "Time that a stage took; name is the model or the destination.",
        totals.SECONDS,
        known.times,
        "stage",
        "name",
    )
    yield _gauge("changes_not_counted", "Changes of state still to be counted.", {(): behind})


def _commitments(known: Totals) -> dict[tuple[str, ...], float]:
    counts: dict[tuple[str, ...], float] = {}
    for (entity, name, before, after), count in known.counts.items():
        if entity == "delivery" and (step := _COMMITMENTS.get((before, after))):
            counts[name, step] = count
    return counts


def of_open_work(
    studies: Sequence[Open],
    jobs: Sequence[Open],
    deliveries: Sequence[Open],
    known: frozenset[str],
    now: datetime,
) -> Iterator[Metric]:
    """Give what is open: how much, and how old its oldest part is.

    Parameters
    ----------
    known
        Models and destinations that get a label of their own.
    """
    kinds = (
        ("studies", studies, ""),
        ("jobs", jobs, "model"),
        ("deliveries", deliveries, "destination"),
    )
    for plural, rows, label in kinds:
        counts: dict[tuple[str, ...], float] = {}
        ages: dict[tuple[str, ...], float] = {}
        for row in rows:
            name = row.name if row.name in known else OTHER
            key = (name, row.state.lower()) if label else (row.state.lower(),)
            age = max(0.0, (now - row.oldest).total_seconds())
            counts[key] = counts.get(key, 0) + row.count
            ages[key] = max(ages.get(key, 0.0), age)
        labels = (label, "state") if label else ("state",)
        yield _gauge(f"{plural}_open", f"{plural.capitalize()} not at their end.", counts, *labels)
        yield _gauge(
            f"{plural}_oldest_seconds", f"Age of the oldest of these {plural}.", ages, *labels
        )


def of_notifications(
    rows: Sequence[Open], known: frozenset[str], now: datetime
) -> Iterator[Metric]:
    """Give how many messages of notifications are in each state, and how old the oldest is.

    Parameters
    ----------
    known
        Peers that get a label of their own.
    """
    counts: dict[tuple[str, ...], float] = {}
    ages: dict[tuple[str, ...], float] = {}
    for row in rows:
        key = (row.name if row.name in known else OTHER, row.state.lower())
        counts[key] = counts.get(key, 0) + row.count
        ages[key] = max(ages.get(key, 0.0), (now - row.oldest).total_seconds())
    labels = ("destination", "state")
    yield _gauge("notifications", "Messages of the last 30 days, by state.", counts, *labels)
    open_ages = {key: age for key, age in ages.items() if key[1] != "sent"}
    text = "Age of the oldest of these that were not sent."
    yield _gauge("notifications_oldest_seconds", text, open_ages, *labels)


def of_senders(
    streams: Sequence[DriftStream], sender_of: Callable[[str], str], models: Collection[str]
) -> Iterator[Metric]:
    """Give the scores by model and sender, and how far studies lie from the validation images.

    Parameters
    ----------
    streams
        What is known of each sender.
    sender_of
        Gives the label of an AE title. Streams with one label are added up; of alarms, distances
        and indexes the largest counts.
    models
        Those that the configuration names: earlier ones are left out.
    """
    scores: dict[tuple[str, ...], Times] = {}
    alarms: dict[tuple[str, ...], float] = {}
    shifts: tuple[dict[tuple[str, ...], float], ...] = ({}, {})
    for one in streams:
        if one.model_name not in models:
            continue
        key = (one.model_name, sender_of(one.sender), one.modality)
        alarms[key] = max(alarms.get(key, 0), len(one.alarms))
        for name, (*tenths, total) in one.scores.items():
            times = scores.setdefault((*key[:2], name), Times(0.0, [0] * (len(tenths) + 1)))
            times.seconds += total
            times.classes = [a + int(b) for a, b in zip(times.classes, [*tenths, 0], strict=True)]
        for name, values in one.shifts.items():
            for known, value in zip(shifts, values, strict=True):
                known[*key, name] = max(known.get((*key, name), 0.0), value)
    names = ("model", "sender", "modality")
    text = "Scores of one image of each study."
    yield _histogram("scores", text, TENTHS, scores, "model", "sender", "class")
    text = "Statistics in which the studies of a sender do not look like the validation images."
    yield _gauge("drift_alarms", text, alarms, *names)
    text = "Distance of the last studies from the validation images (Kolmogorov, Smirnov)."
    yield _gauge("drift_distance", text, shifts[0], *names, "statistic")
    text = "Population stability index of the last studies against the validation images."
    yield _gauge("drift_psi", text, shifts[1], *names, "statistic")


def of_runtimes(replaced: Sequence[ReplacedRuntime]) -> Iterator[Metric]:
    """Give how many processes compute a model otherwise than the configuration says."""
    counts: dict[tuple[str, ...], float] = {}
    for one in replaced:
        key = (one.node, one.model, one.error)
        counts[key] = counts.get(key, 0) + 1
    text = "Processes that compute a model otherwise than [engine] says, by the code of the reason."
    yield _gauge("runtimes_replaced", text, counts, "node", "model", "error")


def of_machine(
    version: str, *, database: bool, free: int | None, least: float, ends: Mapping[str, datetime]
) -> Iterator[Metric]:
    """Give the state of the installation.

    Parameters
    ----------
    database
        Whether the database answers.
    free, least
        Free bytes of the spool's disk, None if it is out of reach; and below which of them nothing
        is received.
    ends
        Until when certificates are valid, by the key of the configuration that names them.
    """
    yield _gauge("info", "Version of pacs-ai.", {(version,): 1}, "version")
    yield _gauge("database_up", "1 if the database answers.", {(): int(database)})
    yield _gauge("spool_up", "1 if the spool can be reached.", {(): int(free is not None)})
    if free is not None:
        yield _gauge("spool_free_bytes", "Free space of the spool's disk.", {(): free})
    yield _gauge(
        "spool_least_free_bytes", "Free space below which every C-STORE is refused.", {(): least}
    )
    yield _gauge(
        "certificate_valid_until_seconds",
        "End of validity of a certificate, in seconds since 1970.",
        {(key,): end.timestamp() for key, end in ends.items()},
        "key",
    )


def _counter(
    name: str, text: str, values: Mapping[tuple[str, ...], float], *labels: str
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"pacs_ai_{name}", text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def _gauge(
    name: str, text: str, values: Mapping[tuple[str, ...], float], *labels: str
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"pacs_ai_{name}", text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def _histogram(
    name: str,
    text: str,
    bounds: Sequence[float],
    values: Mapping[tuple[str, ...], Times],
    *labels: str,
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"pacs_ai_{name}", text, labels=labels)
    names = [*(str(bound) for bound in bounds), "+Inf"]
    for key, times in sorted(values.items()):
        classes = list(zip(names, map(float, accumulate(times.classes)), strict=True))
        family.add_metric(key, classes, times.seconds)
    return family
