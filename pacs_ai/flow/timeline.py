"""What happened to a study, step by step: how long each took, why, and where the time went."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from pacs_ai.domain import DeliveryState, JobState, StudyState
from pacs_ai.store import completeness, pulls, timeline
from pacs_ai.store.overview import StudyLine
from pacs_ai.store.pulls import PullState
from pacs_ai.store.schema import Event, Job
from pacs_ai.store.session import Session
from pacs_ai.store.timeline import Images, RevisionRecord, SpentRecord, StepRecord


class Step(StrEnum):
    """The steps of a study, in the order in which they usually come."""

    FETCHED = "fetched"
    """An archive was asked to send the study."""
    FETCH_WAITING = "fetch_waiting"
    """The archive did not send all of it: until it was asked again."""
    RECEIVING = "receiving"
    """From the first image of a revision to its last one."""
    WAITING_FOR_IMAGES = "waiting_for_images"
    """From then until it counted as complete."""
    SOURCE_ASKED = "source_asked"
    """The source was asked for its number of images: what it said."""
    IN_CONFLICT = "in_conflict"
    """A person had to say whose study it is."""
    ROUTING = "routing"
    """The rules chose the models."""
    IN_QUEUE = "in_queue"
    """A job waited for a worker."""
    POSTPONED = "postponed"
    """A job waited for something else."""
    ANALYSED = "analysed"
    """The images were read, and the model applied."""
    PRIOR_CHOSEN = "prior_chosen"
    """An earlier study was looked for: which result is compared with, or why none is."""
    ENCODED = "encoded"
    """The results were made, checked and written."""
    DELIVERY_WAITING = "delivery_waiting"
    """Results waited for their turn, or for the next try."""
    DELIVERY_SENDING = "delivery_sending"
    """Results were being sent."""
    COMMITMENT = "commitment"
    """The peer was asked whether it keeps them."""


_STUDY: Mapping[str, Step] = {
    StudyState.RECEIVING: Step.RECEIVING,
    StudyState.COMPLETE: Step.ROUTING,
    StudyState.CONFLICT: Step.IN_CONFLICT,
}
_JOB: Mapping[str, Step] = {
    JobState.QUEUED: Step.IN_QUEUE,
    JobState.RUNNING: Step.ANALYSED,
    JobState.WAITING: Step.POSTPONED,
}
_DELIVERY: Mapping[str, Step] = {
    DeliveryState.PENDING: Step.DELIVERY_WAITING,
    DeliveryState.SENDING: Step.DELIVERY_SENDING,
    DeliveryState.WAITING: Step.DELIVERY_WAITING,
    DeliveryState.COMMITTING: Step.COMMITMENT,
}
_PULL: Mapping[str, Step] = {
    PullState.RUNNING: Step.FETCHED,
    PullState.QUEUED: Step.FETCH_WAITING,
}
_BEGIN_REASON = (Step.POSTPONED, Step.IN_CONFLICT, Step.FETCH_WAITING)
"""Steps whose reason is why they began; that of others is how they ended."""


@dataclass(frozen=True, slots=True)
class _Span:
    """A time that a row spent in a state that is a step."""

    step: Step
    begin: datetime
    end: datetime | None
    reason: str


def steps_of(session: Session, line: StudyLine, now: datetime) -> list[StepRecord]:
    """Return the steps of a study by their begin, of all revisions.

    A study that was deleted keeps those before its jobs.
    """
    found = [*_arrival(session, line, now), *_jobs(session, line, now)]
    found += _deliveries(session, line, now)
    return sorted(found, key=lambda one: (one.begin, list(Step).index(Step(one.step))))


def revisions_of(
    session: Session, line: StudyLine, steps: Sequence[StepRecord], now: datetime
) -> list[RevisionRecord]:
    """Return the revisions of a study, the first one first."""
    images = timeline.images_by_revision(session, line.study.id)
    rows = completeness.of_study(session, line.study.id)
    waits = {one.revision: one for one in steps if one.step == Step.WAITING_FOR_IMAGES}
    found = []
    for revision in range(1, line.study.revision + 1):
        came, row = images.get(revision), rows.get(revision)
        mine = [one for one in steps if one.revision == revision]
        closed = waits.get(revision)
        found.append(
            RevisionRecord(
                revision=revision,
                images=0 if came is None else came.count,
                first_image_at=None if came is None else came.first_received_at,
                last_image_at=None if came is None else came.last_received_at,
                closed_at=None if closed is None else closed.end,
                signal="" if row is None else row.signal,
                reason="" if closed is None else closed.reason,
                asked="" if row is None else row.asked,
                expected=None if row is None else row.expected,
                present=None if row is None else row.present,
                spent=_spent(mine, now),
            )
        )
    return found


def _arrival(session: Session, line: StudyLine, now: datetime) -> Iterator[StepRecord]:
    """Yield the steps of the study itself; each time that it is received makes a revision."""
    key = str(line.study.id)
    images = timeline.images_by_revision(session, line.study.id)
    events = timeline.events_of(session, "study", [key])[key]
    revision, begins = 0, []
    for span in _spans(events, _STUDY):
        if span.step is Step.RECEIVING:
            revision += 1
            begins.append(span.begin)
            for part in _received(span, images.get(revision)):
                yield _record(revision, part, now)
        else:
            yield _record(revision, span, now)
    for event in timeline.events_of(session, "arrival", [key])[key]:
        number = sum(begin <= event.at for begin in begins)
        yield _record(number, _Span(Step.SOURCE_ASKED, event.at, event.at, event.note), now)
    for event in timeline.events_of(session, "prior", [key])[key]:
        number = sum(begin <= event.at for begin in begins)
        yield _record(number, _Span(Step.PRIOR_CHOSEN, event.at, event.at, event.note), now)
    yield from _fetched(session, line, begins, now)


def _fetched(
    session: Session, line: StudyLine, begins: Sequence[datetime], now: datetime
) -> Iterator[StepRecord]:
    """Yield when archives were asked for the study; each in the revision at its end."""
    rows = {str(one.id): one for one in pulls.of_studies(session, [line.study.study_instance_uid])}
    for pull, events in timeline.events_of(session, pulls.PULL, rows).items():
        for span in _spans(events, _PULL):
            number = sum(begin <= (span.end or now) for begin in begins)
            yield _record(max(1, number), span, now, peer=rows[pull].peer)


def _received(span: _Span, images: Images | None) -> Iterator[_Span]:
    """Part the time in which a study was received: until the last image, and from then on."""
    last = span.begin if images is None else max(span.begin, images.last_received_at)
    if span.end is not None:
        last = min(last, span.end)
    yield _Span(Step.RECEIVING, span.begin, last, "")
    yield _Span(Step.WAITING_FOR_IMAGES, last, span.end, span.reason)


def _jobs(session: Session, line: StudyLine, now: datetime) -> Iterator[StepRecord]:
    by_job = timeline.events_of(session, "job", [job.id for job in line.jobs])
    for job in line.jobs:
        spans = list(_spans(by_job[job.id], _JOB))
        for span in spans:
            parts = _analysed(span, job) if span is spans[-1] else [span]
            for part in parts:
                yield _record(job.revision, part, now, job=job.id)


def _analysed(span: _Span, job: Job) -> list[_Span]:
    """Part the last attempt: until all was predicted, and from then on."""
    took = job.stages.get("encoded")
    if span.step is not Step.ANALYSED or span.end is None or took is None:
        return [span]
    parted = max(span.begin, span.end - timedelta(seconds=took))
    return [
        _Span(Step.ANALYSED, span.begin, parted, ""),
        _Span(Step.ENCODED, parted, span.end, span.reason),
    ]


def _deliveries(session: Session, line: StudyLine, now: datetime) -> Iterator[StepRecord]:
    """Yield the steps of deliveries; what goes to a peer together is one step."""
    revisions = {job.id: job.revision for job in line.jobs}
    rows = {str(delivery.id): delivery for delivery, _ in line.deliveries}
    together: dict[tuple[str, str, _Span], int] = {}
    for key, events in timeline.events_of(session, "delivery", rows).items():
        for span in _spans(events, _DELIVERY):
            way = rows[key].job_id, rows[key].destination, span
            together[way] = together.get(way, 0) + 1
    for (job, peer, span), count in together.items():
        yield _record(revisions[job], span, now, job=job, peer=peer, results=count)


def _spans(events: Sequence[Event], steps: Mapping[str, Step]) -> Iterator[_Span]:
    """Yield the times that a row spent in states that are steps; the last one may go on."""
    for event, following in pairwise([*events, None]):
        if event is None or event.to_state not in steps:
            continue
        step, end = steps[event.to_state], None if following is None else following.at
        ended = "" if following is None else following.note
        reason = event.note if step in _BEGIN_REASON or event.to_state == "WAITING" else ended
        yield _Span(step, event.at, end, reason)


def _record(
    revision: int, span: _Span, now: datetime, *, job: str = "", peer: str = "", results: int = 0
) -> StepRecord:
    seconds = ((now if span.end is None else span.end) - span.begin).total_seconds()
    took = round(max(0.0, seconds), 3)  # a clock may be set back
    return StepRecord(
        revision, str(span.step), job, peer, results, span.begin, span.end, took, span.reason
    )


def _spent(steps: Iterable[StepRecord], now: datetime) -> list[SpentRecord]:
    """Add up the times of each step and peer."""
    times: dict[tuple[str, str], list[tuple[datetime, datetime]]] = {}
    for one in steps:
        times.setdefault((one.step, one.peer), []).append((one.begin, one.end or now))
    for moment in (Step.SOURCE_ASKED, Step.PRIOR_CHOSEN):
        times.pop((moment, ""), None)
    order = list(Step)
    return [
        SpentRecord(step, peer, _covered(spans))
        for (step, peer), spans in sorted(
            times.items(), key=lambda item: (order.index(Step(item[0][0])), item[0][1])
        )
    ]


def _covered(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """Return the seconds that spans cover together."""
    covered, until = timedelta(), None
    for begin, end in sorted(spans):
        start = begin if until is None else max(begin, until)
        covered += max(timedelta(), end - start)
        until = end if until is None else max(until, end)
    return round(covered.total_seconds(), 3)
