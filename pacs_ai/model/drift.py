"""Tell whether what a sender sends still looks like the validation images.

After each study, the last 12, 25 and 50 studies of the sender are compared with the validation
images in each statistic, by the exact test of Kolmogorov and Smirnov. The probability of a false
alarm is divided among all comparisons of a study, so that their sum is at most `BUDGET`: in 10,000
studies that look like the validation images, a tenth of a false alarm is to be expected. This holds
however the comparisons depend on one another, as only expected numbers are added up. A window may
be as small as 12 studies, because what shifts all values is certain by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pacs_ai.model.distances import Values, ks_distance, ks_limit, psi

WINDOWS = (12, 25, 50)
"""Numbers of the last studies that are compared."""

BUDGET = 1e-5
"""Expected number of false alarms for each study."""

QUIET = 50
"""An alarm ends after as many studies without a distance beyond its limit."""

Measured = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a statistic of the last studies lies from the validation images."""

    distance: float
    psi: float
    beyond: bool


@dataclass(slots=True)
class Watch:
    """What is known of one stream of studies: one model, one sender, one modality.

    Parameters
    ----------
    studies
        How many were compared so far.
    alarms
        The statistics that are in alarm, and at which study each was beyond its limit last.
    """

    studies: int = 0
    alarms: dict[str, int] = field(default_factory=dict)

    def follow(
        self, reference: Mapping[str, Values], last: Sequence[Measured]
    ) -> tuple[dict[str, Shift], bool, bool]:
        """Look at one more study.

        Parameters
        ----------
        reference
            Values of the validation images by statistic; see `Reference.of`.
        last
            The last studies of the stream, at most 50, the newest one at the end.

        Returns
        -------
        tuple
            The shift of each statistic, whether an alarm began, and whether the last one ended.
        """
        self.studies += 1
        found = shifts(reference, last)
        before = bool(self.alarms)
        for name, shift in found.items():
            if shift.beyond:
                self.alarms[name] = self.studies
        self.alarms = {name: at for name, at in self.alarms.items() if self.studies - at < QUIET}
        return found, bool(self.alarms) and not before, before and not self.alarms


def shifts(reference: Mapping[str, Values], last: Sequence[Measured]) -> dict[str, Shift]:
    """Compare the last studies with the validation images, in each statistic that both have."""
    found: dict[str, Shift] = {}
    chance = BUDGET / max(1, len(reference) * len(WINDOWS))
    for name, expected in reference.items():
        values = [one[name] for one in last if name in one]
        if len(values) < WINDOWS[0]:
            continue
        beyond = any(
            ks_distance(expected, values[-size:]) >= ks_limit(chance, size, len(expected))
            for size in WINDOWS
            if size <= len(values)
        )
        found[name] = Shift(ks_distance(expected, values), psi(expected, values), beyond)
    return found
