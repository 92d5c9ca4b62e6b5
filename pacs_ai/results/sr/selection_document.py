"""What every Key Object Selection of ours has, whatever it selects (TID 2010, PS3.16)."""

from collections.abc import Sequence
from dataclasses import dataclass

from highdicom.sr import (
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from pacs_ai.domain import ModelIdentity, ResultKind
from pacs_ai.results.common.codes import KEY_OBJECT_DESCRIPTION
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.equipment import Observer, observer_of
from pacs_ai.results.common.object_header import ObjectHeader, new_object
from pacs_ai.results.sr.references import Referable, evidence_items
from pacs_ai.results.sr.sr_document import introduction


@dataclass(frozen=True, slots=True)
class Selection:
    """What a document selects, and why.

    Parameters
    ----------
    role, series_description
        Of its series.
    key
        What the UID of the document depends on in its series.
    title
        Of CID 7010.
    text
        The key object description.
    instances
        The selected instances.
    references
        Content items that refer to them.
    """

    role: str
    series_description: str
    key: tuple[str, ...]
    title: CodedConcept
    text: str
    instances: Sequence[Referable]
    references: Sequence[ContentItem]


def new_selection(
    selection: Selection, source: Dataset, model: ModelIdentity, context: ResultContext
) -> Dataset:
    """Make the document; ``source`` is the header that patient and study come from."""
    header = ObjectHeader(
        sop_class_uid=KeyObjectSelectionDocumentStorage,
        modality="KO",
        role=selection.role,
        series_number=context.series_number(ResultKind.KEY_OBJECT),
        series_description=selection.series_description,
        instance_number=1,
        instance_key=selection.key,
    )
    made = new_object(header, source, model, context)
    made.ReferencedPerformedProcedureStepSequence = []
    made.CurrentRequestedProcedureEvidenceSequence = evidence_items(selection.instances)
    for element in _root(selection, observer_of(model, context.installation_uid)):
        made[element.tag] = element
    return made


def _root(selection: Selection, by: Observer) -> Dataset:
    root = ContainerContentItem(selection.title, template_id="2010")
    contains = RelationshipTypeValues.CONTAINS
    root.ContentSequence = ContentSequence(
        [
            *introduction(by),
            TextContentItem(KEY_OBJECT_DESCRIPTION, selection.text, contains),
            *selection.references,
        ]
    )
    for item in root.ContentSequence:
        if item.ValueType in ("IMAGE", "COMPOSITE"):
            del item.ConceptNameCodeSequence  # TID 2010 forbids the name that highdicom asks for
    return root
