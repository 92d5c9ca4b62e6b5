"""Follow studies on their way through the node, by its database."""

import time
from collections.abc import Callable, Sequence

from pacs_ai.demo.studies import DemoStudy
from pacs_ai.domain import DeliveryState, JobState, StudyState
from pacs_ai.store import overview
from pacs_ai.store.overview import StudyLine
from pacs_ai.store.schema import Job
from pacs_ai.store.session import Database

PATIENCE_SECONDS = 60.0
"""Seconds without a change after which the rest is given up."""

_POLL_SECONDS = 0.1
_JOB_ENDS = (JobState.SUCCEEDED, JobState.REJECTED, JobState.FAILED, JobState.CANCELLED)
_DELIVERY_ENDS = (DeliveryState.COMMITTED, DeliveryState.FAILED, DeliveryState.CANCELLED)


def follow(
    database: Database, studies: Sequence[DemoStudy], say: Callable[[str], None]
) -> dict[str, float | None]:
    """Report each step of each study, until all have come to their end.

    Returns
    -------
    dict
        Study Instance UID to seconds from the last image to the delivered result, None for a
        study without one.
    """
    told: dict[str, int] = dict.fromkeys((one.study_instance_uid for one in studies), 0)
    open_ones = {one.study_instance_uid: one for one in studies}
    seconds: dict[str, float | None] = dict.fromkeys(open_ones)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while open_ones and time.monotonic() < deadline:
        for uid, study in list(open_ones.items()):
            with database.read() as session:
                line = overview.study(session, uid)
            steps = milestones(line)
            for step in steps[told[uid] :]:
                say(f"{study.name}: {step}")
                deadline = time.monotonic() + PATIENCE_SECONDS
            told[uid] = max(told[uid], len(steps))
            if line is not None and _ended(line):
                seconds[uid] = overview.seconds_to_result(line)
                del open_ones[uid]
        time.sleep(_POLL_SECONDS)
    for study in open_ones.values():
        say(f"{study.name}: no news for {PATIENCE_SECONDS:g} s, given up")
    return seconds


def milestones(line: StudyLine | None) -> list[str]:
    """Say how far a study has come, a line a step; later calls only add lines."""
    if line is None:
        return []
    state = line.study.state
    if state == StudyState.CONFLICT:
        return [f"held: {line.study.reason}"]
    steps = [f"received, {line.instances} instance{'s' * (line.instances != 1)}"]
    if state == StudyState.RECEIVING:
        return steps
    steps.append("complete")
    if state == StudyState.COMPLETE:
        return steps
    jobs = overview.current_jobs(line)
    steps.append(f"routed to {', '.join(job.model_name for job in jobs)}" if jobs else _why(line))
    if not jobs or any(job.state not in _JOB_ENDS for job in jobs):
        return steps
    steps += [_end(job) for job in jobs]
    return steps + _deliveries(line)


def _deliveries(line: StudyLine) -> list[str]:
    sent = overview.current_deliveries(line)
    states = {delivery.state for delivery, _ in sent}
    if not sent or not states <= {*overview.DELIVERED, *_DELIVERY_ENDS}:
        return []
    stored = sum(delivery.state in overview.DELIVERED for delivery, _ in sent)
    steps = [f"delivered, {stored} of {len(sent)} results"]
    if states == {DeliveryState.COMMITTED}:
        steps.append("committed: the archive keeps them")
    return steps


def _end(job: Job) -> str:
    if job.state == JobState.SUCCEEDED:
        return f"analysed: {job.summary}"
    return f"{job.state}: {job.error_code}: {job.error_text}"


def _why(line: StudyLine) -> str:
    return f"routed nowhere: {line.study.reason}"


def _ended(line: StudyLine) -> bool:
    if line.study.state == StudyState.CONFLICT:
        return True
    return (
        line.study.state == StudyState.ROUTED
        and all(job.state in _JOB_ENDS for job in overview.current_jobs(line))
        and all(
            delivery.state in _DELIVERY_ENDS for delivery, _ in overview.current_deliveries(line)
        )
    )
