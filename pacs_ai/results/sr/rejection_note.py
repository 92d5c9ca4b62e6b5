"""The note that withdraws results of ours: a Key Object Selection (TID 2010, PS3.16).

Its title, one of four of CID 7010, tells archives why, and to hide what the note refers to (IHE
IOCM). For most reasons the results stay in the archive and can be investigated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from highdicom.sr import (
    CompositeContentItem,
    ContentItem,
    ImageContentItem,
    RelationshipTypeValues,
)
from pydicom.dataset import Dataset

from pacs_ai.dicom.modules import ENCAPSULATED_PDF, KEY_OBJECT_SELECTION, REPORTS
from pacs_ai.domain import ModelIdentity
from pacs_ai.results.common.codes import REJECTED, SOURCE
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.sr.selection_document import Selection, new_selection
from pacs_ai.withdrawal_kinds import RejectionReason

SERIES_DESCRIPTION = "AI results withdrawn"
ROLE = "rejection"

_NO_IMAGES = REPORTS | {ENCAPSULATED_PDF, KEY_OBJECT_SELECTION}
MADE_BY_NO_MODEL = ModelIdentity(
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
    """A result that no longer holds."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


def build_rejection(
    withdrawn: Sequence[Withdrawn],
    reason: RejectionReason,
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
    reason
        Decides the title.
    why
        The same in sentences, without patient data.
    receiver
        Name of the destination; each one has other results.
    source
        Header of an instance of the study that names the right patient.
    context
        Installation and time.
    """
    selection = Selection(
        role=ROLE,
        series_description=SERIES_DESCRIPTION,
        key=(receiver, *sorted(one.sop_instance_uid for one in withdrawn)),
        title=REJECTED[reason],
        text=why,
        instances=withdrawn,
        references=[_reference(one) for one in withdrawn],
    )
    return new_selection(selection, source, MADE_BY_NO_MODEL, context)


def _reference(one: Withdrawn) -> ContentItem:
    kind = CompositeContentItem if one.sop_class_uid in _NO_IMAGES else ImageContentItem
    return kind(
        SOURCE,
        one.sop_class_uid,
        one.sop_instance_uid,
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
