"""Find rules that are well formed and match nothing, before studies come.

A rule that never matches gives no job and no error. A value that the standard does not allow
(PS3.5 Section 6.2) is refused. A value that is allowed and probably a mistake is a warning.
"""

import fnmatch
import re
from collections.abc import Iterator

from pacs_ai.config import Config, Operand, rule_label
from pacs_ai.config.sections import MAX_TITLE
from pacs_ai.dicom.header import keyword_vr
from pacs_ai.errors import ConfigError
from pacs_ai.flow.rule_matching import SENDER_KEYS

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

_REGULAR_EXPRESSION = re.compile(r"\^.*|.*\$|.*\.\*.*|.*\\.*")
_COMPARISON = re.compile(r"\s*([<>]=?|!=|==?)\s*\S.*")


def check_rules(config: Config) -> None:
    """Refuse rules with a condition that cannot be true.

    Raises
    ------
    ConfigError
        Naming the rule, the keyword and the pattern.
    """
    for text in impossible(config):
        raise ConfigError(text)


def impossible(config: Config) -> Iterator[str]:
    """Name the conditions that are true of no data set and no association."""
    for label, keyword, patterns in _conditions(config):
        if keyword in SENDER_KEYS:
            vr = "AE"
        else:
            vr = keyword_vr(keyword)
            if not vr:
                yield f"{label}: {keyword!r} is no DICOM keyword"
                continue
        for pattern in patterns:
            if vr == "AE" and _too_long(pattern):
                yield (
                    f"{label}: {keyword} = {pattern!r} never matches:"
                    f" an AE title has at most {MAX_TITLE} characters"
                )
            elif vr in _ALLOWED and not _ALLOWED[vr].fullmatch(_GLOB.sub("", pattern)):
                yield (
                    f"{label}: {keyword} = {pattern!r} never matches: {_hint(pattern)}"
                    f" no value of {keyword} ({vr}) has these characters"
                )


def doubtful(config: Config) -> Iterator[str]:
    """Name the conditions that are possible, but look like another language than globs."""
    impossible_ones = set(impossible(config))
    titles = [title.strip() for title in (config.node.ae_title, *config.node.other_ae_titles)]
    for label, keyword, patterns in _conditions(config):
        for pattern in patterns:
            where = f"{label}: {keyword} = {pattern!r}"
            if any(text.startswith(where) for text in impossible_ones):
                continue
            if keyword == "CalledAET" and not any(
                fnmatch.fnmatchcase(title, pattern) for title in titles
            ):
                yield f"{where} matches none of this node's AE titles"
            elif keyword_vr(keyword) == "CS" and _GLOB.sub("", pattern).islower():
                yield f"{where} will hardly match: values of {keyword} (CS) are in upper case"
            elif keyword_vr(keyword) not in _ALLOWED and (hint := _hint(pattern)):
                yield f"{where} will hardly match: {hint.removesuffix(';')}"


def _conditions(config: Config) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for number, rule in enumerate(config.rules, start=1):
        label = rule_label(number, rule)
        for keyword, operand in rule.when.items():
            yield label, keyword, _patterns(operand)


def _patterns(operand: Operand) -> tuple[str, ...]:
    return (operand,) if isinstance(operand, str) else operand


def _too_long(pattern: str) -> bool:
    return len(_GLOB.sub("", pattern).strip()) > MAX_TITLE


def _hint(pattern: str) -> str:
    """Say what kind of condition was probably meant; "" where nothing suggests another kind."""
    if _COMPARISON.fullmatch(pattern):
        return "values are compared as texts, < and > have no meaning;"
    if _REGULAR_EXPRESSION.fullmatch(pattern):
        return "it is read as a glob (* ? [..]), not as a regular expression;"
    return ""
