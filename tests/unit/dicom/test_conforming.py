"""What a result takes over of a source: issuers that name somebody, offsets that there are."""

import pytest
from pydicom.dataset import Dataset

from pacs_ai.dicom.conforming import conforming_element

SEQUENCES = (
    "IssuerOfAccessionNumberSequence",
    "OrderPlacerIdentifierSequence",
    "IssuerOfAdmissionIDSequence",
)


def designated(keyword: str, **values: str) -> tuple[list[Dataset], list[str]]:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    source = Dataset()
    setattr(source, keyword, [item])
    faults: list[str] = []
    made = conforming_element(source, keyword, faults)
    return (list(made.value) if made is not None else []), faults


@pytest.mark.parametrize("keyword", SEQUENCES)
def test_an_item_that_names_nobody_is_left_out(keyword: str) -> None:
    for values in ({"LocalNamespaceEntityID": ""}, {"UniversalEntityID": ""}, {}):
        assert designated(keyword, **values) == ([], [keyword])


@pytest.mark.parametrize("keyword", SEQUENCES)
def test_an_empty_name_goes_and_a_number_stays(keyword: str) -> None:
    number = {"UniversalEntityID": "1.2.3", "UniversalEntityIDType": "ISO"}
    [item], faults = designated(keyword, LocalNamespaceEntityID="", **number)
    assert [element.keyword for element in item] == [*number]
    assert faults == []
    [item], faults = designated(keyword, LocalNamespaceEntityID="WARD")
    assert item.LocalNamespaceEntityID == "WARD"


@pytest.mark.parametrize(
    ("offset", "kept"),
    [
        *((good, True) for good in ("+0000", "-1200", "+1345", "+1400", "-0330", "-1159")),
        *((bad, False) for bad in ("-0000", "-1201", "-1300", "+1401", "+1500", "0100", "+0160")),
    ],
)
def test_an_offset_is_one_that_there_is(offset: str, *, kept: bool) -> None:
    source = Dataset()
    source.TimezoneOffsetFromUTC = offset
    faults: list[str] = []
    made = conforming_element(source, "TimezoneOffsetFromUTC", faults)
    assert (made is not None, faults) == (kept, [] if kept else ["TimezoneOffsetFromUTC"])


def test_a_code_without_the_version_of_its_scheme_says_nothing_of_one() -> None:
    code = {"CodeValue": "1", "CodingSchemeDesignator": "99SITE", "CodeMeaning": "Head"}
    for keyword in ("CodingSchemeVersion", "MappingResource", "ContextGroupVersion"):
        [item], faults = designated("ProcedureCodeSequence", **code, **{keyword: ""})
        assert {element.keyword: element.value for element in item} == code
        assert faults == []
    [item], _ = designated("ProcedureCodeSequence", **code, CodingSchemeVersion="2")
    assert item.CodingSchemeVersion == "2"
