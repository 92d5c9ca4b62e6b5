"""A fault for each rule, planted into what this node makes."""

from collections.abc import Callable

from pydicom.dataset import Dataset

from pacs_ai.air.content import children, concept, groups, tree
from pacs_ai.air.objects import Kind
from pacs_ai.domain import ResultKind
from tests.unit.air.result_folder import Spoiled

REPORT, REGION, SEG = ResultKind.REPORT, ResultKind.REGION, ResultKind.SEG
MAP, KEYS, CAPTURE = ResultKind.MAP, ResultKind.KEY_OBJECT, ResultKind.CAPTURE
PLANTED: dict[str, list[Callable[[Spoiled], object]]] = {}
"""Faults by the rule that they break."""


def plant(rule: str) -> Callable[[Callable[[Spoiled], object]], None]:
    return lambda fault: PLANTED.setdefault(rule, []).append(fault)


def remove(parent: Dataset, value: str) -> None:
    """Remove content items by the value of their concept."""
    kept = [one for one in parent.ContentSequence if (concept(one) or ("",))[0] != value]
    parent.ContentSequence = kept


def of_type(report: Dataset, value_type: str) -> list[Dataset]:
    return [item for item in tree(report) if item.ValueType == value_type]


def named(parent: Dataset, value: str) -> Dataset:
    return children(parent, (value, "DCM"))[0]


def segment(made: Spoiled) -> Dataset:
    return made[SEG].SegmentSequence[0]


plant("algorithm-named")(lambda made: delattr(made[SEG], "ContributingEquipmentSequence"))


@plant("algorithm-named")
def _(made: Spoiled) -> None:
    purpose = made[REPORT].ContributingEquipmentSequence[0].PurposeOfReferenceCodeSequence[0]
    purpose.CodeValue = "109101"


@plant("algorithm-described")
def _(made: Spoiled) -> None:
    del made[CAPTURE].ContributingEquipmentSequence[0].DeviceUID


plant("modules-complete")(lambda made: delattr(made[MAP], "DeviceSerialNumber"))
plant("picture-source")(lambda made: delattr(made[CAPTURE], "SourceImageSequence"))
plant("burned-in-text-stated")(lambda made: delattr(made[CAPTURE], "BurnedInAnnotation"))


@plant("findings-in-measurement-report")
def _(made: Spoiled) -> None:
    made.kinds[REPORT] = Kind.OTHER_REPORT


@plant("report-class")
def _(made: Spoiled) -> None:
    made[REPORT].SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"


plant("root-template")(lambda made: delattr(made[REPORT], "ContentTemplateSequence"))


@plant("report-title")
def _(made: Spoiled) -> None:
    made[REPORT].ConceptNameCodeSequence[0].CodeValue = "18748-4"


plant("language-stated")(lambda made: remove(made[REPORT], "121049"))
plant("device-observes")(lambda made: remove(made[REPORT], "121012"))
plant("device-observes")(lambda made: remove(made[REPORT], "121005"))


@plant("observer-agrees")
def _(made: Spoiled) -> None:
    named(made[REPORT], "121014").TextValue = "somebody else"


@plant("algorithm-agrees")
def _(made: Spoiled) -> None:
    named(groups(made[REPORT])[1], "111003").TextValue = "0.9"


plant("algorithm-in-groups")(lambda made: remove(groups(made[REPORT])[0], "111001"))
plant("procedure-reported")(lambda made: remove(made[REPORT], "121058"))
plant("image-library")(lambda made: remove(made[REPORT], "111028"))
plant("results-stated")(lambda made: remove(made[REPORT], "126010"))
plant("tracking-in-groups")(lambda made: remove(groups(made[REPORT])[0], "112039"))
plant("tracking-in-groups")(lambda made: remove(groups(made[REGION])[0], "112040"))
plant("finding-coded")(lambda made: remove(groups(made[REPORT])[0], "121071"))


@plant("numbers-have-units")
def _(made: Spoiled) -> None:
    number = of_type(made[REPORT], "NUM")[0]
    del number.MeasuredValueSequence


@plant("numbers-have-units")
def _(made: Spoiled) -> None:
    number = of_type(made[REPORT], "NUM")[-1]
    del number.MeasuredValueSequence[0].MeasurementUnitsCodeSequence


@plant("evidence-complete")
def _(made: Spoiled) -> None:
    series = made[KEYS].CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    series.pop(0)


@plant("verified-by-somebody")
def _(made: Spoiled) -> None:
    made[REPORT].VerificationFlag = "VERIFIED"


@plant("place-named")
def _(made: Spoiled) -> None:
    del children(groups(made[REGION])[0], value_type="SCOORD")[0].ConceptNameCodeSequence


@plant("place-on-image")
def _(made: Spoiled) -> None:
    del of_type(made[REPORT], "SCOORD")[0].ContentSequence


@plant("place-shaped")
def _(made: Spoiled) -> None:
    of_type(made[REPORT], "SCOORD")[0].GraphicData = [1.0, 2.0, 3.0]


@plant("place-shaped")
def _(made: Spoiled) -> None:
    of_type(made[REGION], "SCOORD")[0].GraphicType = "POINT"


plant("segmentation-type")(lambda made: setattr(made[SEG], "SegmentationType", "GREY"))
plant("segmentation-type")(lambda made: setattr(made[SEG], "SegmentationType", "FRACTIONAL"))
plant("segments-described")(lambda made: delattr(segment(made), "SegmentLabel"))
plant("segments-described")(lambda made: made[SEG].SegmentSequence.append(segment(made)))
plant("segments-described")(lambda made: delattr(made[SEG], "SegmentSequence"))
plant("segment-algorithm-named")(lambda made: delattr(segment(made), "SegmentAlgorithmName"))
plant("segment-algorithm-identified")(
    lambda made: delattr(segment(made), "SegmentationAlgorithmIdentificationSequence")
)


@plant("segment-algorithm-complete")
def _(made: Spoiled) -> None:
    del segment(made).SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion


@plant("segment-algorithm-agrees")
def _(made: Spoiled) -> None:
    segment(made).SegmentationAlgorithmIdentificationSequence[0].AlgorithmName = "another"


plant("segment-tracking-whole")(lambda made: delattr(segment(made), "TrackingID"))


@plant("segment-tracked")
def _(made: Spoiled) -> None:
    del segment(made).TrackingID
    del segment(made).TrackingUID


@plant("frames-have-sources")
def _(made: Spoiled) -> None:
    del made[MAP].PerFrameFunctionalGroupsSequence[0].DerivationImageSequence


plant("sources-listed")(lambda made: delattr(made[SEG], "ReferencedSeriesSequence"))


@plant("map-has-real-values")
def _(made: Spoiled) -> None:
    shared = made[MAP].SharedFunctionalGroupsSequence[0]
    del shared.RealWorldValueMappingSequence[0].MeasurementUnitsCodeSequence


@plant("map-quantity-coded")
def _(made: Spoiled) -> None:
    shared = made[MAP].SharedFunctionalGroupsSequence[0]
    del shared.RealWorldValueMappingSequence[0].QuantityDefinitionSequence


plant("selection-titled")(lambda made: delattr(made[KEYS], "ConceptNameCodeSequence"))
plant("selection-refers")(
    lambda made: setattr(
        of_type(made[KEYS], "IMAGE")[0],
        "ConceptNameCodeSequence",
        made[KEYS].ConceptNameCodeSequence,
    )
)


@plant("selection-refers")
def _(made: Spoiled) -> None:
    content = made[KEYS].ContentSequence
    made[KEYS].ContentSequence = [one for one in content if one.ValueType in ("CODE", "TEXT")]


plant("software-can-read")(lambda made: made.keep(CAPTURE, ResultKind.PDF))
plant("one-root")(lambda made: made.drop(REPORT, REGION))


@plant("one-root")
def _(made: Spoiled) -> None:
    made[SEG].SOPInstanceUID = "1.2.3.4.5.6.7"


@plant("one-root")
def _(made: Spoiled) -> None:
    made.keep(REPORT, REGION)
    made[REGION].SOPInstanceUID = "1.2.3.4.5.6.7"


plant("references-lead-somewhere")(lambda made: made.images.pop())
plant("one-patient")(lambda made: setattr(made[SEG], "PatientID", "ID2"))
plant("one-study")(lambda made: setattr(made[CAPTURE], "AccessionNumber", ""))
plant("instances-unique")(
    lambda made: setattr(made[MAP], "SOPInstanceUID", made[SEG].SOPInstanceUID)
)
plant("synthetic-data-stated")(lambda made: delattr(made[MAP], "SyntheticData"))
plant("series-alike")(
    lambda made: setattr(made[MAP], "SeriesInstanceUID", made[SEG].SeriesInstanceUID)
)
plant("series-alike")(
    lambda made: setattr(made[MAP], "SeriesInstanceUID", made.images[0].SeriesInstanceUID)
)
plant("frame-of-reference-shared")(
    lambda made: setattr(made[MAP], "FrameOfReferenceUID", "1.2.3.4.5.6.7")
)


@plant("places-within-images")
def _(made: Spoiled) -> None:
    of_type(made[REGION], "SCOORD")[0].GraphicData[0] = 64.5


@plant("places-within-images")
def _(made: Spoiled) -> None:
    of_type(made[REPORT], "SCOORD")[0].GraphicData[1] = -0.5


plant("tracking-joins")(lambda made: setattr(segment(made), "TrackingUID", "1.2.3.4.5.6.7"))
