"""The note that withdraws results of ours: a Key Object Selection (TID 2010, PS3.16).

Its title, (113037, DCM, "Rejected for Patient Safety Reasons") of CID 7010, has archives hide what
it refers to; the results stay where they are, for whoever has to find out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from highdicom.sr import (
    CompositeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    KeyObjectSelectionDocumentStorage,
)

from pacs_ai.domain import ModelIdentity, ResultKind
from pacs_ai.results.common.codes import KEY_OBJECT_DESCRIPTION, REJECTED_FOR_SAFETY, SOURCE
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.object_header import ObjectHeader, new_object
from pacs_ai.results.sr.references import evidence_items
from pacs_ai.results.sr.sr_document import introduction

SERIES_DESCRIPTION = "AI results withdrawn"
ROLE = "rejection"

_NO_IMAGES = frozenset(
    {
        Comprehensive3DSRStorage,
        ComprehensiveSRStorage,
        EncapsulatedPDFStorage,
        KeyObjectSelectionDocumentStorage,
    }
)
_MADE_BY_NO_MODEL = ModelIdentity(
    name="",
    version="",
    manufacturer="",
    sha256="",
    activation="",
    aggregation="",
    preprocess="",
    input_size=(0, 0),
    classes=(),
)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A result that does not hold any more."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


def build_rejection(
    withdrawn: Sequence[Withdrawn],
    why: str,
    receiver: str,
    source: Dataset,
    context: ResultContext,
) -> Dataset:
    """Make the note.

    Parameters
    ----------
    withdrawn
        Results of one study, at least one.
    why
        A sentence, without patient data.
    receiver
        Who gets it: each has got other results.
    source
        Header of an instance of the study that names the right patient.
    context
        Installation and time.
    """
    header = ObjectHeader(
        sop_class_uid=KeyObjectSelectionDocumentStorage,
        modality="KO",
        role=ROLE,
        series_number=context.series_number(ResultKind.KEY_OBJECT),
        series_description=SERIES_DESCRIPTION,
        instance_number=1,
        instance_key=(receiver, *sorted(one.sop_instance_uid for one in withdrawn)),
    )
    note = new_object(header, source, _MADE_BY_NO_MODEL, context)
    note.ReferencedPerformedProcedureStepSequence = []
    note.CurrentRequestedProcedureEvidenceSequence = evidence_items(withdrawn)
    for element in _root(withdrawn, why, context):
        note[element.tag] = element
    return note


def _root(withdrawn: Sequence[Withdrawn], why: str, context: ResultContext) -> Dataset:
    contains = RelationshipTypeValues.CONTAINS
    root = ContainerContentItem(REJECTED_FOR_SAFETY, template_id="2010")
    content: list[ContentItem] = [
        *introduction(context.installation_uid),
        TextContentItem(KEY_OBJECT_DESCRIPTION, why, contains),
        *(_reference(one) for one in withdrawn),
    ]
    root.ContentSequence = ContentSequence(content)
    for item in root.ContentSequence:
        if item.ValueType in ("IMAGE", "COMPOSITE"):
            del item.ConceptNameCodeSequence  # TID 2010 forbids the name that highdicom asks for
    return root


def _reference(one: Withdrawn) -> ContentItem:
    kind = CompositeContentItem if one.sop_class_uid in _NO_IMAGES else ImageContentItem
    return kind(
        SOURCE,
        one.sop_class_uid,
        one.sop_instance_uid,
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
