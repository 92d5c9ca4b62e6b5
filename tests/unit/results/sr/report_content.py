"""Reports made for the tests, and their content read back."""

from collections.abc import Iterator

from pydicom.dataset import Dataset

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import StudyPrediction
from pacs_ai.results.common.predecessor import Predecessor
from pacs_ai.results.sr.measurement_report import build_report
from tests.unit.results.samples import analysed


def report(prediction: StudyPrediction, **context: object) -> Dataset:
    made = next(build_report(analysed(prediction, **context)))
    assert check_dataset(made) == []
    return made


def walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from walk(child)


def concept(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].CodeValue) if names else ""


def groups(dataset: Dataset) -> list[dict[str, Dataset]]:
    return [
        {concept(child): child for child in group.ContentSequence}
        for group in walk(dataset)
        if concept(group) == "125007"
    ]


def number(group: dict[str, Dataset]) -> Dataset:
    [num] = [item for item in group.values() if item.ValueType == "NUM"]
    return num


def percent(group: dict[str, Dataset]) -> float:
    [value] = number(group).MeasuredValueSequence
    assert value.MeasurementUnitsCodeSequence[0].CodeValue == "%"
    return float(value.NumericValue)


def point(group: dict[str, Dataset]) -> tuple[float, float]:
    scoord = group["LABELPOS"]
    assert scoord.GraphicType == "POINT"
    column, row = scoord.GraphicData
    return column, row


def finding(group: dict[str, Dataset]) -> str:
    return str(group["121071"].ConceptCodeSequence[0].CodeMeaning)


def decision(group: dict[str, Dataset]) -> str:
    if "121052" not in group:
        return ""
    return str(group["121052"].ConceptCodeSequence[0].CodeMeaning)


def parameters(dataset: Dataset) -> set[str]:
    return {str(item.TextValue) for item in walk(dataset) if concept(item) == "111002"}


def named(made: Dataset) -> Predecessor:
    return Predecessor(
        made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPClassUID, made.SOPInstanceUID
    )
