"""Rules for measurement reports (TID 1500)."""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from pacs_ai.air.content import (
    DERIVED_MEASUREMENTS,
    EVALUATIONS,
    IMAGING_MEASUREMENTS,
    TRACKING_IDENTIFIER,
    TRACKING_UID,
    Code,
    children,
    code,
    concept,
    evidence,
    group_name,
    groups,
    listed,
    tree,
    tree_references,
)
from pacs_ai.air.general_rules import OBSERVER_TYPE, algorithms, computed
from pacs_ai.air.objects import Kind, ResultObject
from pacs_ai.air.rule import Level, object_rule
from pacs_ai.dicom.modules import COMPREHENSIVE_3D_SR
from pacs_ai.dicom.reading import items, text
from pacs_ai.uids import valid_uid

TITLES = frozenset((value, "DCM") for value in ("126000", "126001", "126002", "126003"))
"""CID 7021, Measurement Report Document Titles."""

_LANGUAGE = ("121049", "DCM")
_DEVICE = ("121007", "DCM")
_OBSERVER_UID = ("121012", "DCM")
_PROCEDURE = ("121058", "DCM")
_IMAGE_LIBRARY = ("111028", "DCM")
_FINDING = ("121071", "DCM")
_NAME, _VERSION = ("111001", "DCM"), ("111003", "DCM")
_OBSERVER: dict[str, tuple[Code, str]] = {
    "DeviceUID": (_OBSERVER_UID, "Device Observer UID"),
    "Manufacturer": (("121014", "DCM"), "Device Observer Manufacturer"),
    "ManufacturerModelName": (("121015", "DCM"), "Device Observer Model Name"),
}
_IDENTIFIED: dict[str, tuple[Code, str]] = {
    "ManufacturerModelName": (_NAME, "Algorithm Name"),
    "SoftwareVersions": (_VERSION, "Algorithm Version"),
}


def _value(parent: Dataset, of: Code) -> str:
    """Text or UID of the first content item of a concept."""
    found = children(parent, of)
    return text(found[0], "TextValue") or text(found[0], "UID") if found else ""


def _identified(report: Dataset) -> list[Dataset]:
    """Items whose children identify an algorithm (TID 4019)."""
    return [item for item in tree(report) if children(item, _NAME)]


def _agrees(parent: Dataset, wanted: dict[str, tuple[Code, str]], one: ResultObject) -> list[str]:
    """Name the content items that differ from the algorithm that is most like them."""
    stated = {
        key: (name, said) for key, (of, name) in wanted.items() if (said := _value(parent, of))
    }
    differing: Sequence[list[str]] = [
        [name for key, (name, said) in stated.items() if text(item, key) != said]
        for item in algorithms(one)
    ]
    return min(differing, key=len, default=[name for name, _ in stated.values()])


def _without(one: ResultObject, lacking: Sequence[bool], what: str) -> Iterator[str]:
    """Say which measurement groups lack something."""
    if any(lacking):
        numbered = enumerate(zip(groups(one.dataset), lacking, strict=True), start=1)
        said = listed(group_name(group, number) for number, (group, lacks) in numbered if lacks)
        yield f"{sum(lacking)} of {len(lacking)} groups have {what}: {said}"


@object_rule(Level.REQUIRED, Kind.REPORT, source="AIR 6.5.3.2, 6.5.3.4")
def report_class(one: ResultObject) -> Iterator[str]:
    """Write a measurement report as Comprehensive 3D SR."""
    if text(one.dataset, "SOPClassUID") != COMPREHENSIVE_3D_SR:
        yield "the SOP class is another one than Comprehensive 3D SR Storage"


@object_rule(Level.REQUIRED, Kind.REPORT, source="AIR 6.5.3.2; PS3.3 C.18.8; PS3.16 TID 1500")
def root_template(one: ResultObject) -> Iterator[str]:
    """Name the template of a measurement report, TID 1500, at its root."""
    found = {
        (text(item, "TemplateIdentifier"), text(item, "MappingResource"))
        for item in items(one.dataset, "ContentTemplateSequence")
    }
    if ("1500", "DCMR") not in found:
        yield "Content Template Sequence (0040,A504) of the root does not name template 1500"


@object_rule(Level.ADVISED, Kind.REPORT, source="PS3.16 TID 1500 row 1, CID 7021")
def report_title(one: ResultObject) -> Iterator[str]:
    """Give a measurement report a title of CID 7021, which viewers look for."""
    if concept(one.dataset) not in TITLES:
        yield "the title is not one of CID 7021, such as (126000, DCM, Imaging Measurement Report)"


@object_rule(Level.ADVISED, Kind.REPORT, source="PS3.16 TID 1500 row 2, TID 1204")
def language_stated(one: ResultObject) -> Iterator[str]:
    """State the language of a measurement report."""
    if not children(one.dataset, _LANGUAGE):
        yield "(121049, DCM, Language of Content Item and Descendants) is missing"


@object_rule(
    Level.ADVISED,
    Kind.REPORT,
    source="PS3.16 TID 1500 row 3, TID 1002, TID 1004",
    when=computed,
)
def device_observes(one: ResultObject) -> Iterator[str]:
    """Name a device as the observer of a measurement report, with its UID."""
    kinds = [code(item, "ConceptCodeSequence") for item in children(one.dataset, OBSERVER_TYPE)]
    if _DEVICE not in kinds:
        yield "no observer is a device: (121005, DCM, Observer Type) = (121007, DCM, Device)"
    elif not valid_uid(_value(one.dataset, _OBSERVER_UID)):
        yield "the observing device has no (121012, DCM, Device Observer UID)"


@object_rule(
    Level.REQUIRED,
    Kind.REPORT,
    source="AIR 6.5.3.1, Table 6.5.3.1-1; PS3.16 TID 1004",
    when=lambda one: any(
        text(item, key) == _value(one.dataset, of)
        for item in algorithms(one)
        for key, (of, _) in _OBSERVER.items()
        if key != "Manufacturer"
    ),
)
def observer_agrees(one: ResultObject) -> Iterator[str]:
    """Give an observing algorithm the manufacturer, name and UID that the equipment has."""
    if differing := _agrees(one.dataset, _OBSERVER, one):
        yield f"{listed(differing)} differs from Contributing Equipment Sequence"


@object_rule(
    Level.REQUIRED,
    Kind.REPORT,
    source="AIR 6.5.3.1, Table 6.5.3.1-1; PS3.16 TID 4019",
    when=lambda one: bool(algorithms(one)) and bool(_identified(one.dataset)),
)
def algorithm_agrees(one: ResultObject) -> Iterator[str]:
    """Give an algorithm in the content the name and version that the equipment has."""
    differing = {
        name for item in _identified(one.dataset) for name in _agrees(item, _IDENTIFIED, one)
    }
    if differing:
        yield f"{listed(sorted(differing))} differs from Contributing Equipment Sequence"


@object_rule(
    Level.ADVISED,
    Kind.REPORT,
    source="PS3.16 TID 1501, TID 4019",
    when=lambda one: bool(groups(one.dataset)),
)
def algorithm_in_groups(one: ResultObject) -> Iterator[str]:
    """Identify the algorithm in each measurement group, or in its numbers."""
    lacking = [
        not any(children(item, _NAME) for item in (group, *tree(group)))
        for group in groups(one.dataset)
    ]
    yield from _without(one, lacking, "no (111001, DCM, Algorithm Name)")


@object_rule(Level.ADVISED, Kind.REPORT, source="AIR 6.5.3.2; PS3.16 TID 1500 row 4")
def procedure_reported(one: ResultObject) -> Iterator[str]:
    """Name the imaging procedure that was analysed, not the algorithm."""
    found = children(one.dataset, _PROCEDURE, value_type="CODE")
    if not any(code(item, "ConceptCodeSequence") for item in found):
        yield "(121058, DCM, Procedure Reported) is missing, or has no code"


@object_rule(Level.ADVISED, Kind.REPORT, source="PS3.16 TID 1500 row 5, TID 1600")
def image_library(one: ResultObject) -> Iterator[str]:
    """List the images that were analysed in an image library."""
    libraries = children(one.dataset, _IMAGE_LIBRARY)
    if not any(
        text(item, "ValueType") == "IMAGE" for library in libraries for item in tree(library)
    ):
        yield "(111028, DCM, Image Library) is missing, or lists no image"


@object_rule(Level.REQUIRED, Kind.REPORT, source="PS3.16 TID 1500 rows 6, 10 and 12")
def results_stated(one: ResultObject) -> Iterator[str]:
    """State measurements or qualitative evaluations in a measurement report."""
    containers = children(one.dataset, IMAGING_MEASUREMENTS, DERIVED_MEASUREMENTS, EVALUATIONS)
    if not any(children(container) for container in containers):
        yield "there are neither measurements nor qualitative evaluations"


@object_rule(
    Level.REQUIRED,
    Kind.REPORT,
    source="PS3.16 TID 1410, TID 1411, TID 1501",
    when=lambda one: bool(groups(one.dataset)),
)
def tracking_in_groups(one: ResultObject) -> Iterator[str]:
    """Give each measurement group a tracking identifier and the UID of its finding."""
    found = groups(one.dataset)
    unnamed = [not _value(group, TRACKING_IDENTIFIER) for group in found]
    yield from _without(one, unnamed, "no (112039, DCM, Tracking Identifier)")
    lost = [not valid_uid(_value(group, TRACKING_UID)) for group in found]
    yield from _without(one, lost, "no (112040, DCM, Tracking Unique Identifier)")


@object_rule(
    Level.ADVISED,
    Kind.REPORT,
    source="AIR 6.5.3.2; PS3.16 TID 1410, TID 1411, TID 1501",
    when=lambda one: bool(groups(one.dataset)),
)
def finding_coded(one: ResultObject) -> Iterator[str]:
    """Say with a code what was found, in each measurement group."""
    lacking = [
        not any(code(item, "ConceptCodeSequence") for item in children(group, _FINDING))
        for group in groups(one.dataset)
    ]
    yield from _without(one, lacking, "no code of (121071, DCM, Finding)")


@object_rule(Level.REQUIRED, Kind.REPORT, source="PS3.3 C.18.1")
def numbers_have_units(one: ResultObject) -> Iterator[str]:
    """Give each number a value with a unit, or a code for why it has none."""
    for item in (item for item in tree(one.dataset) if text(item, "ValueType") == "NUM"):
        measured = items(item, "MeasuredValueSequence")
        name = next(
            (text(part, "CodeMeaning") for part in items(item, "ConceptNameCodeSequence")), ""
        )
        if not measured and not code(item, "NumericValueQualifierCodeSequence"):
            yield f'"{name}" has no value'
        elif measured and not code(measured[0], "MeasurementUnitsCodeSequence"):
            yield f'"{name}" has no unit'


@object_rule(
    Level.REQUIRED,
    Kind.REPORT,
    Kind.KEY_OBJECTS,
    Kind.OTHER_REPORT,
    source="PS3.3 C.17.2.3, C.17.6.2",
)
def evidence_complete(one: ResultObject) -> Iterator[str]:
    """List each instance that the content refers to in the evidence."""
    referred = {reference.sop_instance_uid for reference in tree_references(one.dataset)}
    if missing := referred - evidence(one.dataset):
        yield f"{len(missing)} of {len(referred)} instances are missing in the evidence sequences"


@object_rule(
    Level.REQUIRED,
    Kind.REPORT,
    Kind.OTHER_REPORT,
    source="PS3.3 C.17.2",
    when=lambda one: text(one.dataset, "VerificationFlag") == "VERIFIED",
)
def verified_by_somebody(one: ResultObject) -> Iterator[str]:
    """Name who verified a report that says VERIFIED."""
    if not items(one.dataset, "VerifyingObserverSequence"):
        yield "Verification Flag is VERIFIED, and Verifying Observer Sequence is missing"


RULES = (
    report_class,
    root_template,
    report_title,
    language_stated,
    device_observes,
    observer_agrees,
    algorithm_agrees,
    algorithm_in_groups,
    procedure_reported,
    image_library,
    results_stated,
    tracking_in_groups,
    finding_coded,
    numbers_have_units,
    evidence_complete,
    verified_by_somebody,
)
