"""How probabilities and operating points are written wherever people read them."""

from collections.abc import Sequence

from pydicom.datadict import dictionary_description

from pacs_ai.coverage import Coverage
from pacs_ai.domain import ClassSpec

_DESCRIPTION = 64  # letters of an LO
_LEAST = 0.01  # percent: the last digit that is written


def percent(probability: float) -> str:
    """Write a probability in percent, and never as certain that is not.

    Parameters
    ----------
    probability
        In [0, 1].

    Returns
    -------
    str
        ``93.00 %``; ``<0.01 %`` and ``>99.99 %`` at the ends.
    """
    value = 100 * probability
    if 0 < value < _LEAST:
        return f"<{_LEAST} %"
    if 100 - _LEAST < value < 100:  # noqa: PLR2004 - percent
        return f">{100 - _LEAST} %"
    return f"{value:.2f} %"


def described(what: str, coverage: Coverage) -> str:
    """Describe a result in 64 letters; what was not looked at is not cut off."""
    ending = f"; {coverage.extent} analysed" if coverage.reasons else ""
    return what[: _DESCRIPTION - len(ending)] + ending


def operating_point(spec: ClassSpec) -> str:
    """Write what decides on a class: ``49.07 %``, or ``50 %, undetermined 40 to 60 %``."""
    point = bound(spec.threshold)
    if spec.undetermined is None:
        return point
    low, high = spec.undetermined
    return f"{point}, undetermined {bound(low).removesuffix(' %')} to {bound(high)}"


def bound(probability: float) -> str:
    """Write a limit in percent, as round as it is: ``50 %``, ``54.75 %``."""
    written = percent(probability)
    if not written[0].isdecimal():
        return written
    return f"{round(100 * probability, 2):g} %"


def absent_below(spec: ClassSpec) -> float:
    """Probability, in [0, 1], below which a class counts as absent."""
    return spec.threshold if spec.undetermined is None else spec.undetermined[0]


def omission(keywords: Sequence[str]) -> str:
    """Say what a result does not take over from its images; "" if there is nothing to say.

    Parameters
    ----------
    keywords
        Of attributes; of a nested one with those of the sequences around it.
    """
    if not keywords:
        return ""
    names = ", ".join(
        " / ".join(map(dictionary_description, keyword.split("."))) for keyword in keywords
    )
    return f"left out of the header, as the images do not state it validly: {names}"
