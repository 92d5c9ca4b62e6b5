"""The part of the conformance statement about feedback in structured reports."""

from collections.abc import Iterator

from pacs_ai.cli.markdown import table
from pacs_ai.feedback_kinds import FeedbackKind
from pacs_ai.results.common.codes import (
    ABSENT,
    ASSESSMENT,
    ASSESSMENTS,
    FINDING,
    IMAGING_MEASUREMENTS,
    PRESENCE,
    PRESENT,
    QUALITATIVE_EVALUATIONS,
    TITLE,
    UNDETERMINED,
    stated,
)
from pacs_ai.results.sr.read_assessment import LONGEST

_MEANS = {
    FeedbackKind.ACCEPT: "the result, or the finding, is right",
    FeedbackKind.MODIFY: "it is right but for what the report states otherwise",
    FeedbackKind.REJECT: "it is wrong",
}
_OUTSIDE = "outside of measurement groups"
_EVIDENCE = "Current Requested Procedure Evidence or Pertinent Other Evidence Sequence"


_ABOUT = f"""\
## Feedback in structured reports

A structured report of another system (Modality SR, up to {LONGEST >> 20} MiB) that refers to a
result of this node is read as feedback on it. The template is TID 1500, Measurement Report, with
the title {stated(TITLE)}; other titles and SR templates with the
same content are taken as well. The three answers, for a whole result or for one finding, follow the
IHE profile AI Result Assessment (AIRA); their codes are of this node.
"""

_RULES = """\
Without an assessment, the presence of findings is compared with that of the result: all equal is
accepted, anything else modified. This counts only if the report names a person: Person Observer
Name, Verifying Observer or Author Observer. A finding that is rejected without another presence has
the opposite one.

The result is identified by SOP Instance UID alone: that of the report, also of the one that was
sent as Comprehensive SR, or that of another result of the same analysis. Tracking UIDs stay the
same in an amended report, so they identify none. A report that refers to several results without
saying which it means, lies in another study, names another patient than the study, or contradicts
itself, is stored and answered with success like any other; its feedback is refused, in log and
ledger. Reports that refer to no result, or judge none, are stored and nothing else. Names of
observers are not kept: a keyed hash stands for them. Free text is not read.
"""


def feedback_section() -> Iterator[str]:
    """Give the lines of the section."""
    yield from _ABOUT.splitlines()
    yield ""
    yield from table(("Where", "What", "Meaning"), _content())
    yield from table(
        (f"Value of {stated(ASSESSMENT)}", "Meaning"),
        [(stated(code), _MEANS[kind]) for kind, code in ASSESSMENTS.items()],
    )
    yield from _RULES.splitlines()
    yield ""


def _content() -> list[tuple[str, str, str]]:
    presence = f"{stated(PRESENT)}, {stated(ABSENT)} or {stated(UNDETERMINED)}"
    group = "measurement group"
    return [
        (_OUTSIDE, "COMPOSITE", "refers to the result"),
        (
            f"Predecessor Documents Sequence, or else {_EVIDENCE}",
            "",
            "refers to the result, if no COMPOSITE does",
        ),
        (
            f"{_OUTSIDE}, as in {stated(QUALITATIVE_EVALUATIONS)}",
            f"CODE {stated(ASSESSMENT)}",
            "what the result is worth",
        ),
        (stated(IMAGING_MEASUREMENTS), "Measurement Group (TID 1501)", "one finding"),
        (group, f"CODE {stated(FINDING)}", "code of the class, as in our report"),
        (group, f"CODE {stated(ASSESSMENT)}", "what the finding is worth"),
        (
            group,
            f"CODE {stated(PRESENCE)}",
            f"what is right: {presence}, or Present, Absent, Indeterminate of SNOMED CT",
        ),
        (group, "COMPOSITE", "the result of which it is, if the report is about several"),
    ]
