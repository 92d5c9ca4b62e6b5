import pytest

from pacs_ai.domain import Decision
from pacs_ai.results.sr.measurement_report import build_report
from pacs_ai.results.sr.read_report import read_findings, read_origin
from tests.unit.results.conftest import Images
from tests.unit.results.samples import analysed, study


def test_what_a_report_says_is_what_was_predicted(images: Images) -> None:
    prediction = study(images([0.2, 0.9]))
    report = next(build_report(analysed(prediction)))
    found = read_findings(report)
    assert [(one.level, one.name, one.decision) for one in found] == [
        ("study", "Lesion", Decision.PRESENT),
        ("study", "No finding", None),
        ("image 1", "No finding", None),
        ("image 1", "Lesion", Decision.ABSENT),
        ("image 2", "Lesion", Decision.PRESENT),
        ("image 2", "No finding", None),
    ]
    assert [one.probability for one in found] == pytest.approx([0.9, 0.1, 0.8, 0.2, 0.9, 0.1])
    assert {one.threshold for one in found} == {0.5}
    lesions = [one for one in found if one.peak]
    assert [one.level for one in lesions] == ["study", "image 2"]
    for lesion in lesions:
        assert lesion.sop_instance_uid == "1.2.3.4.2"
        assert lesion.peak == pytest.approx((0.464 * 64, 0.321 * 96), abs=0.1)


def test_a_report_says_who_made_it(images: Images) -> None:
    prediction = study(images([0.2, 0.9]))
    origin = read_origin(next(build_report(analysed(prediction))))
    assert (origin.model, origin.version, origin.manufacturer) == ("demo", "1.2.3", "somebody")
    assert origin.parameters["activation"] == "softmax"
    assert origin.instances == 2
