"""Find rules that are well formed and match nothing, before studies come.

A rule that never matches gives no job and no error. A value that the standard does not allow
(PS3.5 Section 6.2) is refused. A value that is allowed and probably a mistake is a warning.
"""

import fnmatch
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pacs_ai.config import Config, Rule, rule_label
from pacs_ai.config.conditions import (
    SENDER_KEYS,
    Between,
    Clause,
    Group,
    Present,
    clauses,
    may_name_a_patient,
    tree,
)
from pacs_ai.config.sections import MAX_TITLE
from pacs_ai.dicom.header import keyword_vr, nearest_keyword
from pacs_ai.errors import ConfigError
from pacs_ai.flow.rule_matching import ADDRESS

_GLOB = re.compile(r"\[!?\]?[^\]]*\]|[*?]")
"""The parts of a pattern that stand for other characters (`fnmatch`)."""

_NUMBER = re.compile(r"[0-9+\-.eE ]*")
_ALLOWED = {
    "CS": re.compile(r"[^\\^$<>=|{}]*"),  # more than the standard allows: senders write much
    "DS": _NUMBER,
    "IS": _NUMBER,
    "DA": re.compile(r"[0-9. ]*"),
    "TM": re.compile(r"[0-9.: ]*"),
    "DT": re.compile(r"[0-9.+\- ]*"),
    "AS": re.compile(r"[0-9DWMY ]*"),
    "UI": re.compile(r"[0-9.]*"),
}
"""Value representation: what its values consist of (PS3.5 Table 6.2-1)."""

_NUMERIC = ("DS", "IS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AS", "US or SS")
_BINARY = ("OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW", "US or OW", "US or SS or OW")

_REGULAR_EXPRESSION = re.compile(r"\^.*|.*\$|.*\.\*.*|.*\\.*")
_COMPARISON = re.compile(r"\s*([<>]=?|!=|==?)\s*\S.*")


@dataclass(frozen=True, slots=True)
class RuleFault:
    """What is wrong with a condition: where it stands, the value, and why.

    ``value`` is "" where no single value is wrong.
    """

    clause: Clause
    place: str
    value: str
    reason: str

    def __str__(self) -> str:
        value = f" = {self.value!r}" if self.value else ""
        return f"{self.place}{value}{self.reason}"

    def without_value(self) -> str:
        """Return the same without a value that may name a patient."""
        if not may_name_a_patient(self.clause):
            return str(self)
        return f"{self.place}{self.reason}"


def check_rules(config: Config) -> None:
    """Refuse rules with a condition that cannot be true.

    Raises
    ------
    ConfigError
        Naming the rule, the place in its conditions, and the value, of every such condition.
    """
    found = list(impossible(config))
    if found:
        raise ConfigError("; ".join(map(str, found)))


def impossible(config: Config) -> Iterator[RuleFault]:
    """Name the conditions that are true of no data set and no association."""
    for place, clause, of_image in _conditions(config):
        for value, reason in _faults(clause, of_image=of_image):
            yield RuleFault(clause, place, value, reason)


def doubtful(config: Config) -> Iterator[RuleFault]:
    """Name the conditions that are possible, but look like another language than globs."""
    refused = {(one.place, one.value) for one in impossible(config)}
    titles = [title.strip() for title in (config.node.ae_title, *config.node.other_ae_titles)]
    for place, clause, _ in _conditions(config):
        for pattern in _patterns(clause):
            if {(place, ""), (place, pattern)} & refused:
                continue
            if clause.key == "CalledAET" and not any(
                fnmatch.fnmatchcase(title, pattern) for title in titles
            ):
                reason = " matches none of this node's AE titles"
                yield RuleFault(clause, place, pattern, reason)
            elif reason := _doubt(_vr(clause.key), pattern, clause.key):
                yield RuleFault(clause, place, pattern, f" will hardly match: {reason}")


def _doubt(vr: str, pattern: str, key: str) -> str:
    if vr == "CS" and _GLOB.sub("", pattern).islower():
        return f"values of {key} (CS) are in upper case"
    known = vr in _ALLOWED or key == ADDRESS
    return "" if known else _hint(pattern).removesuffix(";")


def _conditions(config: Config) -> Iterator[tuple[str, Clause, bool]]:
    """Return each condition with its place, and whether it is one on the images of a series."""
    for number, rule in enumerate(config.rules, start=1):
        label = rule_label(number, rule)
        for prefix, condition in _of_rule(rule):
            for clause in clauses(condition):
                yield f"{label}: {prefix}{clause.place}", clause, bool(prefix)
    for clause in clauses(tree(config.routing.urgent)):
        yield f"[routing] urgent: {clause.place}", clause, False


def _of_rule(rule: Rule) -> Iterator[tuple[str, Group]]:
    yield "", rule.condition
    if rule.series is not None:
        yield "series.when.", tree(rule.series.when)


def _faults(clause: Clause, *, of_image: bool) -> Iterator[tuple[str, str]]:
    """Return value and reason of all that is wrong with a condition."""
    if clause.key in SENDER_KEYS:
        if of_image:
            yield "", ": a series is chosen by its images; the sender belongs into when of the rule"
        elif isinstance(clause.test, Between):
            yield "", ": is no number, and a range never matches"
        elif clause.key == ADDRESS:
            yield from _bad_networks(clause)
        else:
            yield from _bad_patterns(clause, "AE")
        return
    reason = _bad_path(clause)
    if reason:
        yield "", reason
    else:
        yield from _bad_patterns(clause, _vr(clause.key))


def _bad_path(clause: Clause) -> str:
    """Say what is wrong with the keyword or the path of a condition, or with its kind."""
    *sequences, keyword = clause.key.split(".")
    for word in (*sequences, keyword):
        if not keyword_vr(word):
            nearest = nearest_keyword(word)
            return f": {word!r} is no DICOM keyword" + f"; did you mean {nearest!r}?" * bool(
                nearest
            )
    wrong = [word for word in sequences if keyword_vr(word) != "SQ"]
    if wrong:
        return f": {wrong[0]} ({keyword_vr(wrong[0])}) is no sequence and has nothing inside"
    vr = _vr(clause.key)
    if vr in _BINARY:
        return f": values of {keyword} ({vr}) are binary and cannot be compared"
    if vr == "SQ" and not isinstance(clause.test, Present):
        return (
            f": {keyword} is a sequence: name the attribute inside, as in"
            f" '{keyword}.CodeValue', or ask whether it is there: {{present = true}}"
        )
    if isinstance(clause.test, Between) and vr not in _NUMERIC:
        return f": values of {keyword} ({vr}) are no numbers, and a range never matches"
    return ""


def _bad_patterns(clause: Clause, vr: str) -> Iterator[tuple[str, str]]:
    for pattern in _patterns(clause):
        if vr == "AE" and _too_long(pattern):
            yield pattern, f" never matches: an AE title has at most {MAX_TITLE} characters"
        elif vr in _ALLOWED and not _ALLOWED[vr].fullmatch(_GLOB.sub("", pattern)):
            yield (
                pattern,
                f" never matches: {_hint(pattern)} no value of {clause.key} ({vr}) has these"
                " characters",
            )


def _bad_networks(clause: Clause) -> Iterator[tuple[str, str]]:
    for pattern in _patterns(clause):
        literal = not any(sign in pattern for sign in "*?[")
        try:
            if "/" in pattern:
                ipaddress.ip_network(pattern, strict=False)
            elif literal and pattern:
                ipaddress.ip_address(pattern)
        except ValueError:
            yield pattern, " never matches: must be an address, a pattern of one, or a network"


def _vr(key: str) -> str:
    """Return the value representation of the attribute at the end of a path."""
    return keyword_vr(key.rpartition(".")[2])


def _patterns(clause: Clause) -> tuple[str, ...]:
    return () if isinstance(clause.test, Between | Present) else clause.test.patterns


def _too_long(pattern: str) -> bool:
    return len(_GLOB.sub("", pattern).strip()) > MAX_TITLE


def _hint(pattern: str) -> str:
    """Say what kind of condition was probably meant; "" where nothing suggests another kind."""
    if _COMPARISON.fullmatch(pattern):
        return (
            "values are compared as texts, < and > have no meaning, a range is {min = 1, max = 3};"
        )
    if _REGULAR_EXPRESSION.fullmatch(pattern):
        return "it is read as a glob (* ? [..]), not as a regular expression;"
    return ""
