"""The figures of one run, and what they are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from pacs_ai.store.stage_times import StageTimes

STAGES: Mapping[str, str] = {
    "receive": "from the request of the association to the row of the last image",
    "complete": "until the study counts as complete: its association was released",
    "queue": "until a worker begins with its job",
    "analyse": "decode, predict, explain, build the results and write their files",
    "store": "enter the results in the database, and begin to deliver",
    "deliver": "until the archive has stored all results",
    "answer": "from the row of the last image to the stored results: complete to deliver",
    "whole": "all of it",
}
"""The stages of a study in their order, and what each is; the last two are sums."""


@dataclass(frozen=True, slots=True)
class MeasuredStudy:
    """One study on its way: when its association was requested, and the times of its rows."""

    begun: datetime
    times: StageTimes

    def milliseconds(self) -> dict[str, float]:
        """Return how long each of `STAGES` took."""
        times = self.times
        moments = (
            self.begun,
            times.received,
            times.closed,
            times.started,
            times.finished,
            times.sending,
            times.stored,
        )
        steps = [1000 * (end - begin).total_seconds() for begin, end in pairwise(moments)]
        return dict(zip(STAGES, (*steps, sum(steps[1:]), sum(steps)), strict=True))


@dataclass(frozen=True, slots=True)
class Burst:
    """Studies that were sent as fast as the node takes them.

    Parameters
    ----------
    studies, instances, megabytes
        How much was sent.
    receive_seconds
        From the first association to the last C-STORE response.
    seconds
        From the first association to the last stored result.
    """

    studies: int
    instances: int
    megabytes: float
    receive_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Book:
    """What one run has measured.

    Parameters
    ----------
    at
        When it began.
    machine
        Machine and software, by what is described.
    model
        Name and version of the model, and the settings of ``[engine]`` that are not the defaults.
    runtime
        What computed the network: library, version, device and precision.
    sent
        What kind of study was sent.
    studies
        The studies that were sent one after another.
    burst
        Those that were sent together.
    peak_mb
        Largest resident set of each kind of process; empty where the system does not tell.
    """

    at: datetime
    machine: Mapping[str, str]
    model: str
    runtime: str
    sent: str
    studies: Sequence[MeasuredStudy]
    burst: Burst
    peak_mb: Mapping[str, float]

    def percentiles(self) -> dict[str, tuple[float, float, float]]:
        """Return p50, p95 and p99 of each stage, in milliseconds."""
        taken = [study.milliseconds() for study in self.studies]
        return {
            stage: tuple(np.percentile([one[stage] for one in taken], [50, 95, 99]).tolist())
            for stage in STAGES
        }

    def rates(self) -> dict[str, float]:
        """Return what the burst says: instances and MB received a second, and studies an hour."""
        burst = self.burst
        return {
            "instances received per s": burst.instances / burst.receive_seconds,
            "MB received per s": burst.megabytes / burst.receive_seconds,
            "studies answered per h": 3600 * burst.studies / burst.seconds,
        }
