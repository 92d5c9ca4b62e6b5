"""Prediction sets: the answers that a model cannot rule out at a confidence.

Split conformal prediction (Vovk, Gammerman and Shafer, Algorithmic learning in a random world,
2005). An answer fits if its probability is at least the limit that validation studies with this
answer gave. The set of a new study holds its true answer as often as the confidence says. A set
with both answers, or with none, leaves the finding undetermined.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

AnswerKind = Literal["classes", "findings"]

_DOUBTS = {
    (True, True): "present and absent are both possible",
    (False, False): "neither present nor absent fits",
}


@dataclass(frozen=True, slots=True)
class PredictionSets:
    """The limits from which answers fit.

    Parameters
    ----------
    confidence
        Share of studies whose set holds the true answer, in [0.5, 1).
    answers
        ``classes``: exactly one class of a study is true, and the set holds classes. ``findings``:
        each class is answered by itself, and its set holds present, absent, both or none.
    lowest
        For each class the lowest probability with which it is in the set, or with which "present"
        is.
    highest
        For each class the highest probability with which "absent" is in its set; empty for
        ``classes``, where a class can be absent if another one is in the set.
    """

    confidence: float
    answers: AnswerKind
    lowest: tuple[float, ...]
    highest: tuple[float, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read values of JSON or TOML, which have lists."""
        limits = {name: tuple(values[name]) for name in ("lowest", "highest")}
        return cls(values["confidence"], values["answers"], **limits)

    def holds(self, index: int, probabilities: Sequence[float]) -> tuple[bool, bool]:
        """Tell whether a class can be present, and whether it can be absent.

        Parameters
        ----------
        index
            The class.
        probabilities
            Those of all classes, in [0, 1].
        """
        present = probabilities[index] >= self.lowest[index]
        if self.answers == "findings":
            return present, probabilities[index] <= self.highest[index]
        pairs = enumerate(zip(probabilities, self.lowest, strict=True))
        return present, any(p >= low for other, (p, low) in pairs if other != index)

    def doubt(self, index: int, probabilities: Sequence[float], threshold: float) -> str:
        """Say why a class is undetermined; "" if its set holds one answer, that of the threshold.

        Parameters
        ----------
        index, probabilities
            As for `holds`.
        threshold
            The operating point of the class.
        """
        held, present = self.holds(index, probabilities), probabilities[index] >= threshold
        if held == (present, not present):
            return ""
        return _DOUBTS.get(held, "the operating point and the prediction set disagree")

    def band(self, index: int, threshold: float) -> tuple[float, float] | None:
        """Return the range [low, high) of probabilities that leaves a class undetermined.

        It holds the threshold: the operating point alone decides nothing. None if it is empty, or
        if it depends on the other classes.
        """
        if self.answers == "classes":
            return None
        ends = (self.lowest[index], self.highest[index], threshold)
        return (min(ends), max(ends)) if min(ends) < max(ends) else None
