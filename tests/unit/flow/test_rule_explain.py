"""Why a file matches a rule, clause by clause."""

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from pacs_ai.config import Rule
from pacs_ai.errors import NotDicom
from pacs_ai.flow.rule_explain import explain_file
from pacs_ai.flow.rule_matching import matches

WAY = ("MODALITY", "AI_NODE")


def rule(**when: object) -> Rule:
    return Rule(name="one", model="demo", when=when)  # type: ignore[arg-type]


def encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, dataset)
    return buffer.getvalue()


def test_each_clause_says_what_there_is(ct: Dataset) -> None:
    ct.BodyPartExamined = "CHEST"
    rules = [
        rule(Modality=["MR", "CT"], BodyPartExamined="CH*", CallingAET="MOD*"),
        rule(Modality="CT", PatientPosition="X", CalledAET="OTHER"),
        rule(),
    ]
    found = explain_file(rules, encoded(ct), WAY)
    assert (found.modality, found.passive) == ("CT", "")
    assert [one.matches for one in found.rules] == [True, False, True]
    [modality, part, calling] = found.rules[0].clauses
    assert (modality.wanted, modality.found, modality.holds) == (("MR", "CT"), ("CT",), True)
    assert (part.found, calling.found) == (("CHEST",), ("MODALITY",))
    assert [one.holds for one in found.rules[1].clauses] == [True, False, False]


def test_it_says_what_routing_decides(ct: Dataset) -> None:
    facts = {"Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]}
    ct.ImageType = facts["ImageType"]
    for when in ({"ImageType": "PRIM*"}, {"ImageType": "X"}, {"StudyDescription": ""}):
        ct.StudyDescription = ""
        [found] = explain_file([rule(**when)], encoded(ct), WAY).rules
        assert found.matches == matches(when, facts)


def test_what_is_no_image_says_so(ct: Dataset) -> None:
    del ct.PixelData
    assert explain_file([rule()], encoded(ct), WAY).passive


def test_the_begin_of_a_file_is_enough(ct: Dataset) -> None:
    content = encoded(ct)
    assert explain_file([rule(Modality="CT")], content[: len(content) // 2], WAY).rules[0].matches


@pytest.mark.parametrize("content", [b"", b"no DICOM", bytes(200)])
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(NotDicom):
        explain_file([rule()], content, WAY)


def test_a_file_that_names_no_instance_is_refused() -> None:
    dataset = pydicom.Dataset()
    dataset.Modality = "CT"
    buffer = BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=True, little_endian=True)
    with pytest.raises(NotDicom, match="no SOPClassUID"):
        explain_file([rule()], buffer.getvalue(), WAY)
