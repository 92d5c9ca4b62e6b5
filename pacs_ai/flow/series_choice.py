"""Which series of a study a rule lets its models see."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pacs_ai.config import Rule
from pacs_ai.config.conditions import SENDER_KEYS, Group, clauses, tree
from pacs_ai.config.rules import SeriesChoice
from pacs_ai.dicom.orientation import plane_of
from pacs_ai.domain import InstanceHeader
from pacs_ai.flow.rule_matching import Facts, satisfied

SERIES_PLACE = "series"
"""How places of its conditions begin."""


def asked_of_rules(rules: Iterable[Rule]) -> set[str]:
    """Return the keywords and paths that rules ask a data set about."""
    conditions = [rule.condition for rule in rules]
    conditions += [tree(rule.series.when) for rule in rules if rule.series is not None]
    return {key for condition in conditions for key in asked(condition)}


def asked(condition: Group) -> set[str]:
    """Return the keywords and paths that a condition asks a data set about."""
    return {clause.key for clause in clauses(condition)}.difference(SENDER_KEYS)


def plane(header: InstanceHeader) -> str:
    """Return the plane of an image, of its first frame if it has several; "" if not known."""
    first = header.frame_orientations[:1]
    return plane_of(header.orientation or (first[0] if first else None))


def counts(choice: SeriesChoice, header: InstanceHeader, facts: Facts) -> bool:
    """Tell whether an image meets the conditions of a choice of series."""
    wanted = choice.orientation
    return (not wanted or plane(header) in wanted) and satisfied(tree(choice.when), facts)


def chosen_series(
    choice: SeriesChoice,
    headers: Sequence[InstanceHeader],
    facts_of: Callable[[InstanceHeader], Facts],
) -> list[str]:
    """Return the series of which enough images meet the conditions.

    Parameters
    ----------
    headers
        Of all images of the study; each frame of a multi-frame image counts.
    facts_of
        Reads what is asked of one.

    Returns
    -------
    list of str
        Series Instance UIDs, in the order of their first image.
    """
    images: Counter[str] = Counter()
    for header in headers:
        if counts(choice, header, facts_of(header)):
            images[header.series_instance_uid] += header.frames
    return [series for series, number in images.items() if number >= choice.min_images]
