"""Say clause by clause why a DICOM file matches each rule, or does not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO

from pacs_ai.config import Rule
from pacs_ai.dicom.header import read_facts, read_stream_header
from pacs_ai.flow.loop_guard import passive_reason_of
from pacs_ai.flow.rule_matching import SENDER_KEYS, Facts, Way, holds, values_of


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of a rule: what it wants, what there is, and whether it holds."""

    keyword: str
    wanted: tuple[str, ...]
    found: tuple[str, ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class RuleExplanation:
    """A rule with its clauses; it matches if all of them hold."""

    rule: str
    model: str
    matches: bool
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class FileExplanation:
    """What the rules say of a file.

    ``passive`` says why it is no reason to analyse a study whatever the rules say; "" if it is one.
    """

    modality: str
    passive: str
    rules: tuple[RuleExplanation, ...]


def explain_file(rules: Sequence[Rule], content: bytes, way: Way) -> FileExplanation:
    """Compare a DICOM file with the rules.

    Parameters
    ----------
    content
        The file, or its begin, at least up to the pixel data.
    way
        Calling and called AE title that it would come with.

    Raises
    ------
    NotDicom
        If the bytes cannot be read as DICOM, or do not say which instance they are.
    """
    wanted = {keyword for rule in rules for keyword in rule.when if keyword not in SENDER_KEYS}
    header = read_stream_header(BytesIO(content))
    facts = read_facts(BytesIO(content), wanted)
    return FileExplanation(
        header.modality, passive_reason_of(header), tuple(explain_rules(rules, facts, way))
    )


def explain_rules(rules: Iterable[Rule], facts: Facts, way: Way) -> Iterable[RuleExplanation]:
    """Compare facts with the rules, in the order of the configuration."""
    known = {**facts, **dict(zip(SENDER_KEYS, way, strict=True))}
    for rule in rules:
        clauses = tuple(
            Clause(
                keyword,
                tuple(values_of(operand)),
                tuple(value for value in values_of(known.get(keyword, "")) if value),
                holds(operand, known.get(keyword, "")),
            )
            for keyword, operand in rule.when.items()
        )
        yield RuleExplanation(rule.name, rule.model, all(one.holds for one in clauses), clauses)
