"""Which images of a sequence a model is shown: all, every n-th, or the central ones.

A sequence is the slices of one series in their order, or the frames of one multi-frame image.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from pacs_ai.coverage import ALL_IMAGES
from pacs_ai.domain import InstanceHeader


def _choice(name: str) -> str:
    if not re.fullmatch(r"all|central-[1-9][0-9]{0,3}|every-([2-9]|[1-9][0-9]{1,2})", name):
        said = "must be all, central-N with N from 1 to 9999, or every-N with N from 2 to 999"
        raise PydanticCustomError("images", said)
    return name


ImageChoice = Annotated[str, AfterValidator(_choice)]
"""``all``; ``central-5``: the five in the middle; ``every-4``: the first, the fifth and so on."""

Run = tuple[InstanceHeader, Sequence[int]]
"""An instance with the numbers of its frames, from 1, that are looked at."""


def choose(count: int, choice: ImageChoice) -> Sequence[int]:
    """Choose places of a sequence.

    Parameters
    ----------
    count
        Length of the sequence.
    choice
        Which images the model is shown.

    Returns
    -------
    Sequence of int
        Places from 0, ascending; at least one where ``count`` is not 0. Of an even and an odd
        number the central ones lie half a place nearer to the beginning.
    """
    kind, _, number = choice.partition("-")
    if kind == "every":
        return range(0, count, int(number))
    if kind == "central":
        wanted = min(count, int(number))
        first = (count - wanted) // 2
        return range(first, first + wanted)
    return range(count)


def chosen_runs(runs: Sequence[Run], choice: ImageChoice) -> list[Run]:
    """Choose frames of one sequence, which may go over several instances."""
    if choice == ALL_IMAGES:
        return list(runs)
    wanted: dict[int, list[int]] = {}
    for place, number in _places(runs, choose(count_frames(runs), choice)):
        wanted.setdefault(place, []).append(number)
    return [(runs[place][0], numbers) for place, numbers in wanted.items()]


def spread_frames(runs: Sequence[Run], max_images: int) -> Iterator[tuple[InstanceHeader, int]]:
    """List the frames that are analysed, spread evenly when there are too many.

    Parameters
    ----------
    runs
        Instances in the order they are to be seen, each with the numbers of its frames.
    max_images
        Number of frames at most.
    """
    for place, number in _places(runs, _spread(count_frames(runs), max_images)):
        yield runs[place][0], number


def count_frames(runs: Sequence[Run]) -> int:
    """Count the frames of all instances."""
    return sum(len(numbers) for _, numbers in runs)


def _places(runs: Sequence[Run], picked: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Find frames by their place among all: the index of the run, and the number of the frame."""
    rest = iter(picked)
    index = next(rest, None)
    before = 0
    for place, (_, numbers) in enumerate(runs):
        while index is not None and index < before + len(numbers):
            yield place, numbers[index - before]
            index = next(rest, None)
        before += len(numbers)


def _spread(total: int, limit: int) -> Sequence[int]:
    """Choose at most ``limit`` indices below ``total``, the middles of as many equal parts."""
    if total <= limit:
        return range(total)
    return [(2 * part + 1) * total // (2 * limit) for part in range(limit)]
