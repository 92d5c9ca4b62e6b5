"""Apply the rules to files, study by study, as routing would, and say why."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from pacs_ai.config import Config, Rule
from pacs_ai.config.conditions import tree
from pacs_ai.dicom.header import read_facts, read_header
from pacs_ai.domain import InstanceHeader
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.flow.loop_guard import passive_reason_of
from pacs_ai.flow.rule_explain import ExplainedClause, RuleExplanation, explain_rules
from pacs_ai.flow.rule_matching import Facts, Way, satisfied, with_way
from pacs_ai.flow.series_choice import asked, asked_of_rules, plane

_FATES = {"keep": "kept", "drop": "dropped"}


@dataclass(slots=True)
class TriedRule:
    """What one rule says of a study.

    Parameters
    ----------
    file
        The file that matches, or the one that most conditions hold for.
    clauses
        The conditions, as they are for this file.
    series
        How many images of each series count, if the rule chooses series.
    """

    rule: str
    model: str
    priority: str
    matches: bool
    file: str
    clauses: tuple[ExplainedClause, ...]
    series_clauses: tuple[ExplainedClause, ...] = ()
    series: dict[str, int] = field(default_factory=dict)
    min_images: int = 0

    @classmethod
    def of(cls, rule: Rule, file: str, found: RuleExplanation) -> Self:
        """Begin with the first file."""
        return cls(
            found.rule,
            found.model,
            rule.priority,
            found.matches,
            file,
            found.clauses,
            found.series,
            min_images=found.min_images,
        )

    @property
    def has_series(self) -> bool:
        """Whether a series has enough images, if the rule asks for one."""
        return not self.min_images or max(self.series.values(), default=0) >= self.min_images

    def take(self, found: RuleExplanation, file: str) -> None:
        """Take over what is said of a file that is nearer to a match."""
        if (found.matches, _held(found.clauses)) > (self.matches, _held(self.clauses)):
            self.matches, self.file, self.clauses = found.matches, file, found.clauses


def _held(clauses: Sequence[ExplainedClause]) -> int:
    return sum(clause.holds for clause in clauses)


@dataclass(slots=True)
class StudyTrial:
    """What the rules say of a study.

    ``passive`` says why nothing of it is a reason to analyse; ``unmatched`` what becomes of it if
    no rule matches.
    """

    study_instance_uid: str
    unmatched: str
    files: int = 0
    passive: str = ""
    urgent: bool = False
    rules: list[TriedRule] = field(default_factory=list)


@dataclass(slots=True)
class Trial:
    """The studies among files, and why other files were left out."""

    studies: list[StudyTrial]
    unread: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return it as values for JSON."""
        return asdict(self)


def try_rules(config: Config, files: Iterable[Path], way: Way) -> Trial:
    """Compare files with the rules; nothing is kept.

    Parameters
    ----------
    way
        Calling and called AE title, and the address, that they would come with.
    """
    wanted = asked_of_rules(config.rules) | asked(tree(config.routing.urgent))
    trial = Trial([], {})
    by_uid: dict[str, StudyTrial] = {}
    for path in files:
        try:
            header, facts = read_header(path), read_facts(path, wanted)
        except (NotDicom, StorageError) as error:
            trial.unread[str(path)] = error.message
            continue
        uid = header.study_instance_uid
        study = by_uid.setdefault(uid, StudyTrial(uid, _FATES[config.routing.unmatched]))
        study.files += 1
        study.passive = study.passive or passive_reason_of(header)
        if not passive_reason_of(header):
            _add(config, study, (path, header), with_way(facts, way))
    for study in by_uid.values():
        study.passive = "" if study.rules else study.passive
        for rule in study.rules:
            rule.matches = rule.matches and rule.has_series
    trial.studies.extend(by_uid.values())
    return trial


def _add(
    config: Config, study: StudyTrial, image: tuple[Path, InstanceHeader], facts: Facts
) -> None:
    """Add what the rules say of an image."""
    path, header = image
    condition = config.routing.urgent
    study.urgent = study.urgent or (bool(condition) and satisfied(tree(condition), facts))
    found = list(explain_rules(config.rules, facts, (), plane(header)))
    if not study.rules:
        study.rules = [
            TriedRule.of(rule, str(path), one)
            for rule, one in zip(config.rules, found, strict=True)
        ]
    for tried, one in zip(study.rules, found, strict=True):
        tried.take(one, str(path))
        if tried.min_images and one.in_series:
            series = header.series_instance_uid
            tried.series[series] = tried.series.get(series, 0) + header.frames
