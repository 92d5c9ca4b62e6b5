"""Compare what a folder holds with the rules."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pacs_ai.air import general_rules, image_rules, location_rules, report_rules, set_rules
from pacs_ai.air.objects import Folder, Kind, ResultObject, ResultSet
from pacs_ai.air.rule import Level, ObjectRule, Rule, SetRule
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet

OBJECT_RULES: tuple[ObjectRule, ...] = (
    *general_rules.RULES,
    *report_rules.RULES,
    *location_rules.RULES,
    *image_rules.RULES,
)
SET_RULES: tuple[SetRule, ...] = set_rules.RULES


_T = TypeVar("_T")


class Outcome(StrEnum):
    """What comes of a rule; ADVISED: it is not kept, and the standard does not demand it."""

    WRONG = "wrong"
    ADVISED = "advised"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a rule for one object, or for the results of a study.

    Parameters
    ----------
    rule
        The rule.
    outcome
        Whether it is kept.
    kind
        Kind of the object; None of a rule for the results of a study.
    path
        File of the object; Study Instance UID of a rule for the results of a study.
    faults
        What is wrong, a sentence each.
    """

    rule: Rule
    outcome: Outcome
    kind: Kind | None
    path: str
    faults: tuple[str, ...] = ()


def check(folder: Folder) -> list[Finding]:
    """Compare the objects of a folder with all rules that are for them.

    Returns
    -------
    list of Finding
        Object by object, then study by study. A rule about something that is not there (the
        algorithm of a segment that was made by hand) gives none.
    """
    with quiet():
        return [
            *(finding for one in folder.objects for finding in _of_object(one)),
            *(finding for found in folder.sets() for finding in _of_set(found)),
        ]


def count(findings: list[Finding]) -> dict[Outcome, int]:
    """Count findings by outcome."""
    counted = Counter(finding.outcome for finding in findings)
    return {outcome: counted[outcome] for outcome in Outcome}


def _of_object(one: ResultObject) -> Iterator[Finding]:
    for rule in OBJECT_RULES:
        if one.kind in rule.kinds:
            applies, faults = _looked(rule.applies, rule.check, one)
            if applies:
                yield Finding(rule, _outcome(rule, faults), one.kind, one.path, faults)


def _of_set(found: ResultSet) -> Iterator[Finding]:
    for rule in SET_RULES:
        applies, faults = _looked(rule.applies, rule.check, found)
        if applies:
            yield Finding(rule, _outcome(rule, faults), None, found.study_instance_uid, faults)


def _looked(
    applies: Callable[[_T], bool], look: Callable[[_T], Iterator[str]], at: _T
) -> tuple[bool, tuple[str, ...]]:
    """Ask a rule; values that cannot be parsed are a fault."""
    try:
        return (True, tuple(look(at))) if applies(at) else (False, ())
    except FOREIGN_ERRORS as error:
        return True, (f"values cannot be read ({type(error).__name__})",)


def _outcome(rule: Rule, faults: tuple[str, ...]) -> Outcome:
    if not faults:
        return Outcome.RIGHT
    return Outcome.WRONG if rule.level is Level.REQUIRED else Outcome.ADVISED
