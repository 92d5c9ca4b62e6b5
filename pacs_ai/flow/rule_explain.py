"""Say clause by clause why a DICOM file matches each rule, or does not."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from pacs_ai.config import Rule
from pacs_ai.config.conditions import HIDDEN, Clause, Node, may_name_a_patient, tree, wanted_of
from pacs_ai.dicom.header import read_facts, read_stream_header
from pacs_ai.flow.loop_guard import passive_reason_of
from pacs_ai.flow.rule_matching import Facts, Way, holds, satisfied, values_of, with_way
from pacs_ai.flow.series_choice import SERIES_PLACE, asked_of_rules, plane

GROUPS = {"all": "all of", "any": "one of", "not": "not all of"}
"""What stands in place of a keyword where conditions are combined."""


@dataclass(frozen=True, slots=True)
class ExplainedClause:
    """One condition of a rule: what it wants, what there is, and whether it holds.

    Parameters
    ----------
    keyword
        Keyword, path or key; for combined conditions one of `GROUPS`, and nothing is wanted or
        found. Those that it combines follow, one deeper.
    depth
        0 for an entry of ``when`` itself.
    place
        Where it stands in the rule.
    private
        Whether what is wanted may name a patient.
    """

    keyword: str
    wanted: tuple[str, ...]
    found: tuple[str, ...]
    holds: bool
    depth: int = 0
    place: str = ""
    private: bool = False

    @property
    def shown(self) -> tuple[str, ...]:
        """What is wanted, without texts that may name a patient."""
        return (HIDDEN,) if self.private else self.wanted


@dataclass(frozen=True, slots=True)
class RuleExplanation:
    """A rule with its clauses; it matches if all of them hold.

    ``series`` has the conditions on the images of a series, () if the rule chooses no series;
    ``min_images`` says how many images of one series have to meet them.
    """

    rule: str
    model: str
    matches: bool
    clauses: tuple[ExplainedClause, ...]
    series: tuple[ExplainedClause, ...] = ()
    min_images: int = 0

    @property
    def in_series(self) -> bool:
        """Whether the image counts for a series of the rule."""
        return all(one.holds for one in self.series if not one.depth)


@dataclass(frozen=True, slots=True)
class FileExplanation:
    """What the rules say of a file.

    ``passive`` says why it is no reason to analyse a study whatever the rules say; "" if it is one.
    """

    modality: str
    passive: str
    rules: tuple[RuleExplanation, ...]
    study_instance_uid: str = ""
    series_instance_uid: str = ""


def explain_file(rules: Sequence[Rule], content: bytes, way: Way) -> FileExplanation:
    """Compare a DICOM file with the rules.

    Parameters
    ----------
    content
        The file, or its begin, at least up to the pixel data.
    way
        Calling and called AE title, and the address, that it would come with.

    Raises
    ------
    NotDicom
        If the bytes cannot be read as DICOM, or do not say which instance they are.
    """
    header = read_stream_header(BytesIO(content))
    facts = read_facts(BytesIO(content), asked_of_rules(rules))
    return FileExplanation(
        header.modality,
        passive_reason_of(header),
        tuple(explain_rules(rules, facts, way, plane(header))),
        header.study_instance_uid,
        header.series_instance_uid,
    )


def explain_rules(
    rules: Iterable[Rule], facts: Facts, way: Way, orientation: str = ""
) -> Iterator[RuleExplanation]:
    """Compare facts with the rules, in the order of the configuration."""
    known = with_way(facts, way)
    for rule in rules:
        yield RuleExplanation(
            rule.name,
            ", ".join(rule.models),
            satisfied(rule.condition, known),
            tuple(_explained(rule.condition.parts, known)),
            tuple(_of_series(rule, known, orientation)),
            0 if rule.series is None else rule.series.min_images,
        )


def _of_series(rule: Rule, known: Facts, orientation: str) -> Iterator[ExplainedClause]:
    if rule.series is None:
        return
    if wanted := rule.series.orientation:
        found = (orientation,) if orientation else ()
        place = f"{SERIES_PLACE}.orientation"
        yield ExplainedClause("orientation", wanted, found, orientation in wanted, place=place)
    yield from _explained(tree(rule.series.when).parts, known, prefix=f"{SERIES_PLACE}.when.")


def _explained(
    nodes: Iterable[Node], known: Facts, depth: int = 0, prefix: str = ""
) -> Iterator[ExplainedClause]:
    for node in nodes:
        place = f"{prefix}{node.place}"
        if isinstance(node, Clause):
            yield ExplainedClause(
                node.key,
                wanted_of(node.test),
                tuple(value for value in values_of(known.get(node.key, "")) if value),
                holds(node, known),
                depth,
                place,
                may_name_a_patient(node),
            )
        else:
            held = satisfied(node, known)
            yield ExplainedClause(GROUPS[node.kind], (), (), held, depth, place)
            yield from _explained(node.parts, known, depth + 1, prefix)
