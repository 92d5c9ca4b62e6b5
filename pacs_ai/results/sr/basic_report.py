"""The content of a report without measurements: a finding and a conclusion, each in sentences.

A basic diagnostic imaging report (TID 2000, PS3.16): viewers show it as a page of text. In a
measurement report OHIF would look for measurements, and show a black image.
"""

from highdicom.sr import (
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    RelationshipTypeValues,
    TextContentItem,
)

from pacs_ai.results.common.codes import (
    CONCLUSION,
    CONCLUSIONS,
    FINDING,
    FINDINGS,
    REPORT_TITLE,
)
from pacs_ai.results.common.equipment import Observer
from pacs_ai.results.sr.sr_document import introduction

_CONTAINS = RelationshipTypeValues.CONTAINS


def basic_report(by: Observer, finding: str, conclusion: str) -> ContainerContentItem:
    """Make the content tree.

    Parameters
    ----------
    by
        The observer.
    finding, conclusion
        Sentences.
    """
    root = ContainerContentItem(REPORT_TITLE, template_id="2000")
    content: list[ContentItem] = [
        *introduction(by),
        _section(FINDINGS, TextContentItem(FINDING, finding, _CONTAINS)),
        _section(CONCLUSIONS, TextContentItem(CONCLUSION, conclusion, _CONTAINS)),
    ]
    root.ContentSequence = ContentSequence(content)
    return root


def _section(name: CodedConcept, item: ContentItem) -> ContainerContentItem:
    section = ContainerContentItem(name, relationship_type=_CONTAINS)
    section.ContentSequence = ContentSequence([item])
    return section
