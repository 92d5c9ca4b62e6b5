"""One probability is one number, whatever states it."""

import json
import re
from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset

from pacs_ai.domain import ResultKind
from pacs_ai.results.build import Built, BuiltResult, build_results
from pacs_ai.results.content.wording import fraction, percent, stated_percent
from pacs_ai.results.images.legend import legend_of
from pacs_ai.results.sr.report_text import render_text
from tests.unit.results.conftest import Images
from tests.unit.results.samples import CONTEXT, grey, study

STATED = {
    0.0: (0, "0.00 %"),
    1e-12: (0.01, "<0.01 %"),
    0.00004: (0.01, "<0.01 %"),
    0.0001: (0.01, "0.01 %"),
    0.000251: (0.03, "0.03 %"),
    0.5: (50, "50.00 %"),
    0.81254: (81.25, "81.25 %"),
    0.99994: (99.99, ">99.99 %"),
    0.99996: (99.99, ">99.99 %"),
    1 - 1e-12: (99.99, ">99.99 %"),
    1.0: (100, "100.00 %"),
}


@pytest.mark.parametrize(("probability", "stated"), STATED.items())
def test_only_what_is_certain_is_stated_as_certain(
    probability: float, stated: tuple[float, str]
) -> None:
    number, written = stated
    assert stated_percent(probability) == number
    assert percent(probability) == written
    assert float(fraction(probability)) == pytest.approx(number / 100)


def numbers_in(report: Dataset) -> Iterator[tuple[float, float]]:
    for element in report.iterall():
        if element.keyword == "MeasuredValueSequence":
            [item] = element.value
            if item.MeasurementUnitsCodeSequence[0].CodeValue == "%":
                yield float(item.NumericValue), item.FloatingPointValue


@pytest.mark.parametrize("probability", STATED)
def test_every_kind_states_the_same_number(
    probability: float, images: Images, texts: list[tuple[float, float, float, str]]
) -> None:
    number, written = STATED[probability]
    prediction = study(images([probability]))
    kinds = (ResultKind.REPORT, ResultKind.REGION, ResultKind.PDF, ResultKind.HL7, ResultKind.FHIR)
    made: dict[ResultKind, Built] = {
        one.kind: one for one in build_results(prediction, kinds, CONTEXT, grey)
    }
    report = made[ResultKind.REPORT]
    assert isinstance(report, BuiltResult)
    assert (number, number) in set(numbers_in(report.dataset))
    assert f"{number:.2f} %" in render_text(report.dataset)
    if ResultKind.REGION in made:
        region = made[ResultKind.REGION]
        assert isinstance(region, BuiltResult)
        assert {*numbers_in(region.dataset)} == {(number, number)}
    assert written in [text for *_, text in texts]
    [seen] = prediction.images
    legend = legend_of(prediction.model, seen, 1, prediction.coverage, painted=True)
    assert any(written in line.text for line in legend.lines)
    message = made[ResultKind.HL7].encode().decode("utf-8")
    values = re.findall(r"OBX\|\d+\|NM\|52988006[^|]*\|[^|]*\|([^|]*)\|", message)
    assert [float(value) for value in values] == [number]
    bundle = json.loads(made[ResultKind.FHIR].encode())
    quantities = [
        entry["resource"]["valueQuantity"]
        for entry in bundle["entry"]
        if entry["resource"].get("code", {}).get("coding", [{}])[0].get("code") == "52988006"
    ]
    assert [quantity["value"] for quantity in quantities] == [number]
    assert quantities[0].get("comparator", "") == written.rstrip("0123456789. %")
