"""Which rules a study matches, and which of its series they choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pacs_ai.config import Rule
from pacs_ai.config.conditions import tree
from pacs_ai.config.rules import SeriesChoice
from pacs_ai.dicom.header import read_facts, read_header
from pacs_ai.dicom.modules import PATIENT_AND_STUDY
from pacs_ai.domain import InstanceHeader, StudyId
from pacs_ai.errors import NotDicom
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.integrity import check_instances
from pacs_ai.flow.rule_matching import Facts, matches_any_way
from pacs_ai.flow.series_choice import asked, asked_of_rules, chosen_series
from pacs_ai.store import identities, repeats
from pacs_ai.store.indexes import NO_RULE
from pacs_ai.store.repeats import Way
from pacs_ai.store.schema import Instance, Study


@dataclass(frozen=True, slots=True)
class Match:
    """What the rules say of a study.

    Parameters
    ----------
    rules
        Those that match, in the order of the configuration.
    ways
        The ways by which instances came that made them match.
    series
        By the name of a rule that chooses series: their Series Instance UIDs.
    urgent
        Whether the condition of ``[routing] urgent`` holds.
    missing
        Why a rule does not match although its ``when`` holds.
    """

    rules: tuple[Rule, ...] = ()
    ways: tuple[Way, ...] = ()
    series: Mapping[str, Sequence[str]] = field(default_factory=dict)
    urgent: bool = False
    missing: str = ""

    def series_of(self, rules: Sequence[Rule]) -> list[str]:
        """Return the series that a model is shown for some of the rules; [] for all.

        A rule that chooses no series lets it see all of them.
        """
        if any(rule.name not in self.series for rule in rules):
            return []
        return list(dict.fromkeys(one for rule in rules for one in self.series[rule.name]))


def matching_rules(context: FlowContext, study: Study, usable: Sequence[Instance]) -> Match:
    """Return the rules of which every condition holds for one and the same instance.

    An instance that came by several ways (senders, names it was sent to) counts for each.
    """
    if not usable:
        return Match()
    reader = _Reader(context, study)
    urgent_when = tree(context.config.routing.urgent) if context.config.routing.urgent else None
    open_rules = list(context.config.rules)
    matched, ways, urgent = [], {}, False
    for instance in usable:
        facts = reader.facts(instance)
        by = reader.ways[instance.id]
        hits = [rule for rule in open_rules if matches_any_way(rule.condition, facts, by)]
        if hits:
            ways.update(dict.fromkeys(by))
        matched += hits
        open_rules = [rule for rule in open_rules if rule not in hits]
        urgent = urgent or (urgent_when is not None and matches_any_way(urgent_when, facts, by))
        if not open_rules and (urgent or urgent_when is None):
            break
    series = {rule.name: reader.chosen(rule.series, usable) for rule in matched if rule.series}
    without = [name for name, found in series.items() if not found]
    return Match(
        tuple(
            rule for rule in context.config.rules if rule in matched and rule.name not in without
        ),
        tuple(ways),
        series,
        urgent,
        f"{NO_RULE}: no series is what {without[0]!r} chooses" if without else "",
    )


class _Reader:
    """Reads what rules ask of the instances of a study."""

    def __init__(self, context: FlowContext, study: Study) -> None:
        self._context = context
        self._wanted = asked_of_rules(context.config.rules)
        if urgent := context.config.routing.urgent:
            self._wanted |= asked(tree(urgent))
        self._read: dict[int, Facts] = {}
        with context.database.read() as session:
            self.ways = repeats.ways_of_study(session, StudyId(study.id))
            self._named = identities.foreign(session, study)

    def facts(self, instance: Instance) -> Facts:
        """Read what is asked; of patient and study from a file of the right patient."""
        if not self._wanted:
            return {}
        if instance.id not in self._read:
            self._read[instance.id] = self._facts(instance)
        return self._read[instance.id]

    def _facts(self, instance: Instance) -> Facts:
        path_of, named = self._context.spool.path_of, self._named.get(instance.id)
        check_instances(self._context.spool, [instance])
        try:
            facts = read_facts(path_of(instance.path), self._wanted)
            if named:
                whose = {key for key in self._wanted if key.split(".")[0] in PATIENT_AND_STUDY}
                facts = {key: value for key, value in facts.items() if key not in whose}
                facts |= read_facts(path_of(named), whose)
        except NotDicom:
            return {}
        return facts

    def chosen(self, choice: SeriesChoice, usable: Sequence[Instance]) -> list[str]:
        """Return the series that a rule chooses."""
        headers: dict[Path, tuple[InstanceHeader, Instance]] = {}
        for instance in usable:
            path = self._context.spool.path_of(instance.path)
            try:
                headers[path] = read_header(path), instance
            except NotDicom:
                continue
        facts_of = partial(_facts_of, self, headers)
        return chosen_series(choice, [header for header, _ in headers.values()], facts_of)


def _facts_of(
    reader: _Reader,
    headers: Mapping[Path, tuple[InstanceHeader, Instance]],
    header: InstanceHeader,
) -> Facts:
    return reader.facts(headers[header.path][1])
