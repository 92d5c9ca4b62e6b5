"""How probabilities and operating points are written in results, logs and tables."""

from collections.abc import Sequence

from pydicom.datadict import dictionary_description

from pacs_ai.coverage import Coverage
from pacs_ai.domain import ClassSpec

_DESCRIPTION = 64  # letters of an LO
_LEAST, _MOST = 0.01, 99.99  # percent: what is written of less, and of more
_DECIMALS = 2
_MEASURED_DECIMALS = 4  # a softmax keeps its sum, and the text fits the 16 characters of a DS


def stated_percent(probability: float) -> float:
    """Round a probability as every result states it.

    Parameters
    ----------
    probability
        In [0, 1].

    Returns
    -------
    float
        Percent, with two decimals as viewers show them; 0 and 100 only of what is 0 or 1 itself.
    """
    rounded = round(100 * probability, _DECIMALS)
    return min(max(rounded, _LEAST), _MOST) if 0 < probability < 1 else rounded


def measured_percent(percent: float) -> float:
    """Round a percentage as measurements of a report state it: with four decimals."""
    return round(percent, _MEASURED_DECIMALS)


def percent(probability: float) -> str:
    """Write a probability in percent: the number that `stated_percent` gives.

    Parameters
    ----------
    probability
        In [0, 1].

    Returns
    -------
    str
        ``93.00 %``; ``<0.01 %`` and ``>99.99 %`` at the ends.
    """
    return f"{beyond(probability)}{stated_percent(probability):.2f} %"


def beyond(probability: float) -> str:
    """Return the comparison sign of a stated percentage: ``<`` or ``>`` at the ends, else ""."""
    if not 0 < probability < 1 or _LEAST <= 100 * probability <= _MOST:
        return ""
    return "<" if 100 * probability < _LEAST else ">"


def fraction(probability: float) -> str:
    """Write a probability as a part of one: the number that `stated_percent` gives."""
    return f"{stated_percent(probability) / 100:.4f}"


def described(what: str, coverage: Coverage) -> str:
    """Describe a result in 64 characters; the part on images not analysed is never cut off."""
    ending = f"; {coverage.extent} analysed" if coverage.partial else ""
    return what[: _DESCRIPTION - len(ending)] + ending


def operating_point(spec: ClassSpec) -> str:
    """Write what decides on a class: ``49.07 %``, or ``50 %, undetermined 40 to 60 %``."""
    point = bound(spec.threshold)
    if spec.undetermined is None:
        return point
    low, high = spec.undetermined
    return f"{point}, undetermined {bound(low).removesuffix(' %')} to {bound(high)}"


def bound(probability: float) -> str:
    """Write a limit in percent, without trailing zeros: ``50 %``, ``54.75 %``."""
    return f"{beyond(probability)}{stated_percent(probability):g} %"


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
