"""The report: probability of each class as a structured report (TID 1500, PS3.16)."""

import functools
from collections.abc import Iterator, Sequence

from highdicom.sr import (
    CodeContentItem,
    CompositeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from pacs_ai.results.common.codes import (
    CHANGE,
    COMMENT,
    IMAGING_MEASUREMENTS,
    PRIOR_REPORT,
    PROCEDURE_REPORTED,
    QUALITATIVE_EVALUATIONS,
    TITLE,
    procedure_code,
)
from pacs_ai.results.common.equipment import Observer, observer_of
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.common.object_header import ObjectHeader
from pacs_ai.results.common.prebuilt import changed, shared
from pacs_ai.results.common.predecessor import Predecessor
from pacs_ai.results.common.result_set import ROOT
from pacs_ai.results.content.report_level import tracking_key
from pacs_ai.results.content.study import AnalysedStudy
from pacs_ai.results.content.wording import omission
from pacs_ai.results.sr.image_library import image_library
from pacs_ai.results.sr.measurement_groups import measurement_groups
from pacs_ai.results.sr.references import evidence_items
from pacs_ai.results.sr.related_results import refer_to_results, related_results
from pacs_ai.results.sr.sr_document import introduction, new_document

SERIES_DESCRIPTION = "AI classification (research)"


def build_report(study: AnalysedStudy) -> Iterator[Dataset]:
    """Make the report of a study.

    Notes
    -----
    Without 3D coordinates it might be a Comprehensive SR as well, and becomes one for a peer that
    refuses this class (`pacs_ai.results.sr.comprehensive_sr`).
    """
    prediction, evidence, context = study.prediction, study.evidence, study.context
    header = ObjectHeader(
        sop_class_uid=Comprehensive3DSRStorage,
        modality="SR",
        role=ROOT,
        series_number=context.series_number_base,
        series_description=SERIES_DESCRIPTION,
        instance_number=1,
        instance_key=(*evidence.instance_key, *study.results.root_key),
    )
    key = tracking_key(context, prediction.model, evidence.study_instance_uid)
    earlier = context.prior.report if context.prior is not None else None
    said = [_change(text, earlier)] if (text := study.summary.compared) else []
    ending = list(related_results(study.results))
    root = measurement_report(study, measurement_groups(prediction, key), said, ending)
    made = new_document(header, evidence, prediction.model, context, root)
    refer_to_results(made, evidence, study.results)
    if said and earlier is not None:
        made.PertinentOtherEvidenceSequence = evidence_items([earlier])
    yield made


def measurement_report(
    study: AnalysedStudy,
    groups: Sequence[Dataset],
    said: Sequence[ContentItem] = (),
    ending: Sequence[Dataset] = (),
) -> Dataset:
    """Put measurement groups into an imaging measurement report (TID 1500).

    Parameters
    ----------
    study
        Its images are the report's image library.
    groups
        Of TID 1501, or of TID 1410: validators do not take both in one report.
    said
        What is said of the study beside them.
    ending
        What comes last.
    """
    evidence = study.evidence
    by = observer_of(study.prediction.model, study.context.installation_uid)
    pattern = _pattern(by, evidence.headers[0].modality)
    *beginning, measurements = pattern.ContentSequence
    content = [
        *beginning,
        image_library(evidence.headers),
        changed(measurements, ContentSequence=list(groups)),
        *_evaluations([*said, *_omissions(evidence)]),
        *ending,
    ]
    return changed(pattern, ContentSequence=content)


def _evaluations(said: Sequence[ContentItem]) -> Iterator[Dataset]:
    """Put what is said in words into its container (TID 1500, rows 10 to 12)."""
    if said:
        contains = RelationshipTypeValues.CONTAINS
        container = ContainerContentItem(QUALITATIVE_EVALUATIONS, relationship_type=contains)
        container.ContentSequence = ContentSequence(said)
        yield container


def _change(said: str, earlier: Predecessor | None) -> ContentItem:
    """State the change since an earlier study, inferred from the report on it if there is one."""
    item = TextContentItem(CHANGE, f"{said}.", RelationshipTypeValues.CONTAINS)
    if earlier is not None:
        report = CompositeContentItem(
            PRIOR_REPORT,
            earlier.sop_class_uid,
            earlier.sop_instance_uid,
            RelationshipTypeValues.INFERRED_FROM,
        )
        item.ContentSequence = ContentSequence([report])
    return item


def _omissions(evidence: Evidence) -> Iterator[ContentItem]:
    """Say what the header lacks, although the images have it."""
    if said := omission(evidence.left_out):
        yield TextContentItem(COMMENT, said[:1].upper() + said[1:], RelationshipTypeValues.CONTAINS)


@functools.lru_cache(maxsize=64)
def _pattern(by: Observer, modality: str) -> Dataset:
    """Let highdicom make and check the report around library and groups."""
    root = ContainerContentItem(TITLE, template_id="1500")
    content: list[ContentItem] = [
        *introduction(by),
        CodeContentItem(
            PROCEDURE_REPORTED, procedure_code(modality), RelationshipTypeValues.HAS_CONCEPT_MOD
        ),
        ContainerContentItem(
            IMAGING_MEASUREMENTS, relationship_type=RelationshipTypeValues.CONTAINS
        ),
    ]
    root.ContentSequence = ContentSequence(content)
    return shared(root)
