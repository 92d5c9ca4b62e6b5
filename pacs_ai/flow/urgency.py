"""A study is urgent from its first image on, where that image or its sender says so.

Else it would wait behind all others until its route says so. Its route reads every image, and may
find urgent what this has not; what this has found, it leaves.
"""

import contextlib
from collections.abc import Hashable

from pacs_ai.config import Config
from pacs_ai.config.conditions import Group, tree
from pacs_ai.dicom.header import read_facts
from pacs_ai.domain import StudyId
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_rules import recent_rules
from pacs_ai.flow.rule_matching import Way, satisfied, with_way
from pacs_ai.flow.series_choice import asked
from pacs_ai.priorities import Priority
from pacs_ai.store import studies


def note_urgency(
    context: FlowContext, study_id: StudyId, series: Hashable, path: str, way: Way
) -> None:
    """Mark a study as urgent if this image and its sender meet a condition of urgent studies.

    Only the first image of each series is read, and only if a condition asks for its attributes.
    If it cannot be read, or the database does not answer, the image is kept all the same. The route
    of the study decides then whether it is urgent.

    Parameters
    ----------
    series
        Names the series, its revision included.
    path
        Where the image lies in the spool.
    """
    if not context.seen_series.is_new((study_id, series, way)):
        return
    with contextlib.suppress(StorageError, NotDicom):
        conditions = urgent_conditions(recent_rules(context).config)
        if _any_holds(context, conditions, path, way):
            with context.write(durable=False) as transaction:
                studies.hasten(transaction, study_id, Priority.URGENT)


def may_be_urgent(config: Config) -> bool:
    """Tell whether any study can be urgent."""
    return bool(urgent_conditions(config))


def urgent_conditions(config: Config) -> list[Group]:
    """Return the conditions of which one is enough to make a study urgent."""
    rules = [rule for rule in config.rules if Priority[rule.priority.upper()] == Priority.URGENT]
    found = [rule.condition for rule in rules]
    return [*found, tree(config.routing.urgent)] if config.routing.urgent else found


def _any_holds(context: FlowContext, conditions: list[Group], path: str, way: Way) -> bool:
    if not conditions:
        return False
    wanted = {key for condition in conditions for key in asked(condition)}
    facts = read_facts(context.spool.path_of(path), wanted) if wanted else {}
    return any(satisfied(condition, with_way(facts, way)) for condition in conditions)
