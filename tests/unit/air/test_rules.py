"""Each rule finds a planted fault, and finds nothing in what this node makes."""

from collections.abc import Callable

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pacs_ai.air.check import OBJECT_RULES, SET_RULES, Outcome, check
from pacs_ai.air.objects import Folder, Kind, ResultObject
from pacs_ai.air.rule import Level
from tests.unit.air.planted_faults import PLANTED, REGION, REPORT, SEG, named, segment
from tests.unit.air.result_folder import Spoiled

RULES = {rule.name: rule for rule in (*OBJECT_RULES, *SET_RULES)}


def test_what_this_node_makes_keeps_all_rules_that_are_about_something_in_it() -> None:
    findings = Spoiled().findings()
    assert {one.outcome for one in findings} == {Outcome.RIGHT}
    about_nothing = set(RULES) - {one.rule.name for one in findings}
    assert about_nothing == {"findings-in-measurement-report", "verified-by-somebody"}


def test_each_rule_has_a_planted_fault() -> None:
    assert set(PLANTED) == set(RULES)


@pytest.mark.parametrize(
    ("rule", "fault"), [(rule, fault) for rule, faults in PLANTED.items() for fault in faults]
)
def test_a_planted_fault_is_found(rule: str, fault: Callable[[Spoiled], object]) -> None:
    made = Spoiled()
    fault(made)
    assert made.breaks(RULES[rule])


def test_a_fault_of_a_required_rule_is_wrong_and_of_another_advised() -> None:
    made = Spoiled()
    made[REPORT].VerificationFlag = "VERIFIED"
    made.kinds[REGION] = Kind.OTHER_REPORT
    found = made.faulty()
    assert found["verified-by-somebody"] is Outcome.WRONG
    assert found["findings-in-measurement-report"] is Outcome.ADVISED
    assert {RULES[name].level for name, outcome in found.items() if outcome is Outcome.WRONG} == {
        Level.REQUIRED
    }


def test_no_rule_quotes_the_patient() -> None:
    made = Spoiled()
    for dataset in made.by_kind.values():
        dataset.PatientName, dataset.PatientID = "Secret^Name", "SECRET-ID"
    made[SEG].PatientName = "Other^Secret"
    said = " ".join(fault for one in made.findings() for fault in one.faults)
    assert "PatientName differs in seg" in said
    assert "secret" not in said.lower()


def test_values_that_cannot_be_read_are_a_fault_and_no_crash() -> None:
    broken = Dataset()
    broken.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.34"
    broken.StudyInstanceUID = "1.2.3"
    for keyword in ("ContentSequence", "ContributingEquipmentSequence"):
        tag = Tag(keyword)
        broken[tag] = RawDataElement(tag, "SQ", 8, b"no items", 0, False, True)
    for kind in Kind:
        assert check(Folder([ResultObject("broken", kind, broken)]))


def test_several_algorithms_may_have_a_root_each() -> None:
    made = Spoiled()
    made.keep(REPORT, REGION)
    made[REGION].SOPInstanceUID = "1.2.3.4.5.6.7"
    named(made[REGION], "121012").UID = "1.2.3.4.5.6.8"
    assert "one-root" not in made.faulty()


def test_a_person_needs_no_algorithm() -> None:
    made = Spoiled()
    for kind in (REPORT, SEG):
        del made[kind].ContributingEquipmentSequence
    segment(made).SegmentAlgorithmType = "MANUAL"
    named(made[REPORT], "121005").ConceptCodeSequence[0].CodeValue = "121006"
    found = made.faulty()
    assert "algorithm-named" not in found
    assert "device-observes" not in found


def test_a_frame_of_reference_that_is_none_need_not_be_shared() -> None:
    made = Spoiled()
    for image in made.images:
        image.FrameOfReferenceUID = image.SeriesInstanceUID
    assert "frame-of-reference-shared" not in made.faulty()
