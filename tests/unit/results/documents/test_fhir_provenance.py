"""What a bundle says of its origin: model, study, DICOM objects (HL7 guides of AI and DICOM SR)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pacs_ai.domain import DOCUMENTS, ClassSpec, Code, ResultKind
from pacs_ai.results.build import BuiltResult, build_refusals, build_results
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.equipment import device_uid
from tests.unit.results.conftest import Images
from tests.unit.results.documents.test_hl7_and_fhir import bundle, parsed_bundle, resources
from tests.unit.results.samples import CONTEXT, LESION, grey, model, refusal, study

Json = dict[str, Any]
AI = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "AIAST"


def beside(
    images: Images, kinds: tuple[ResultKind, ...], context: ResultContext = CONTEXT
) -> tuple[Json, list[BuiltResult]]:
    """The bundle of a positive study, and the DICOM objects that it got."""
    made = list(build_results(study(images([0.2, 0.9])), kinds, context, grey))
    [document] = [one for one in made if one.kind is ResultKind.FHIR]
    objects = [one for one in made if isinstance(one, BuiltResult)]
    return parsed_bundle(document.encode()), objects


def labels(resource: Json) -> set[tuple[str, str]]:
    return {(one["system"], one["code"]) for one in resource["meta"]["security"]}


def uid(identifier: Json) -> str:
    assert identifier["system"] == "urn:dicom:uid"
    value: str = identifier["value"]
    return value.removeprefix("urn:oid:")


def names_of(found: Json) -> Iterator[str]:
    for entry in found["entry"]:
        yield from (one for one in _texts(entry["resource"]) if "Doe" in one)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    else:
        yield str(value)


def test_all_that_a_model_states_is_labelled(images: Images) -> None:
    found, _ = beside(images, tuple(ResultKind))
    kinds = ("DiagnosticReport", "Observation", "DocumentReference")
    stated = [one for kind in kinds for one in resources(found, kind)]
    assert len(stated) > len(kinds)
    assert all(AI in labels(one) for one in stated)


def test_the_device_is_the_model_by_the_uid_that_dicom_objects_have(images: Images) -> None:
    found, objects = beside(images, (ResultKind.FHIR, ResultKind.REPORT))
    [device] = resources(found, "Device")
    equipment = objects[0].dataset.ContributingEquipmentSequence[0]
    assert uid(device["identifier"][0]) == equipment.DeviceUID == device_uid(model())
    assert device["deviceName"] == [{"name": "demo", "type": "model-name"}]
    assert device["manufacturer"] == "somebody"
    assert [one["value"] for one in device["version"]] == ["1.2.3", "ab" * 32]
    kinds = [(one["system"], one["code"]) for one in device["type"]["coding"]]
    assert kinds == [
        (
            "http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIdeviceTypeCS",
            "Artificial-Intelligence",
        ),
        ("http://dicom.nema.org/resources/ontology/DCM", "123110"),
    ]
    [parameters] = device["property"]
    told = {one["text"] for one in parameters["valueCode"]}
    assert {"input=224x224", "temperature=1.5", "aggregation=max"} <= told


def test_another_training_is_another_device(images: Images) -> None:
    other = replace(model(), manifest_sha256="cd" * 32)
    urls = {
        entry["request"]["url"]
        for identity in (model(), other)
        for entry in bundle(study(images([0.9]), identity))["entry"]
        if entry["resource"]["resourceType"] == "Device"
    }
    assert len(urls) == 2


def test_provenance_says_who_made_what_of_which_study(images: Images) -> None:
    found, _ = beside(images, tuple(ResultKind))
    [said] = resources(found, "Provenance")
    by_url = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in found["entry"]}
    targets = [one["reference"] for one in said["target"]]
    assert set(by_url) - set(targets) == {
        url for url, kind in by_url.items() if kind in ("Device", "Provenance")
    }
    author, assembler = said["agent"]
    assert author["type"]["coding"][0]["code"] == "author"
    assert by_url[author["who"]["reference"]] == "Device"
    assert assembler["type"]["coding"][0]["code"] == "assembler"
    assert assembler["who"]["identifier"]["value"] == f"urn:oid:{CONTEXT.installation_uid}"
    assert assembler["who"]["display"] == "pacs-ai node 0.1.0 by pacs-ai"
    [source] = said["entity"]
    assert source["role"] == "source"
    assert uid(source["what"]["identifier"]) == "1.2.3"
    assert said["reason"][0]["coding"][0]["code"] == "AIAST"
    assert said["recorded"] == "2026-01-02T03:04:05.678+00:00"


def test_provenance_names_the_bundle_that_was_replaced(images: Images) -> None:
    later = replace(CONTEXT, identity="withdrawn 1", earlier_bundle="2.25.7")
    found, _ = beside(images, (ResultKind.FHIR,), later)
    [said] = resources(found, "Provenance")
    _, revised = said["entity"]
    assert revised["role"] == "revision"
    assert revised["what"]["identifier"]["value"] == "urn:oid:2.25.7"


def test_each_dicom_object_is_named_once_and_the_report_is_the_root(images: Images) -> None:
    """Of a series that has a picture for each image, the first."""
    found, objects = beside(images, tuple(ResultKind))
    documents = resources(found, "DocumentReference")
    named = [uid(one["masterIdentifier"]) for one in documents]
    stacks = [one.sop_instance_uid for one in objects if one.kind is ResultKind.STACK]
    others = [one.sop_instance_uid for one in objects if one.kind is not ResultKind.STACK]
    assert sorted(named) == sorted([*others, stacks[0]])
    [root] = [one.sop_instance_uid for one in objects if one.kind is ResultKind.REPORT]
    by_url = {entry["fullUrl"]: entry["resource"] for entry in found["entry"]}
    for one in resources(found, "Observation"):
        refer = [one["reference"] for one in one["derivedFrom"] if "reference" in one]
        [source] = [by_url[url] for url in refer if not url.startswith("#")]
        assert uid(source["identifier"][0]) == root
    classes = {uid(one["masterIdentifier"]): one["content"][0]["format"] for one in documents}
    for built in objects:
        if built.sop_instance_uid in classes:
            assert classes[built.sop_instance_uid]["code"] == f"urn:oid:{built.sop_class_uid}"


def test_a_bundle_alone_names_no_object(images: Images) -> None:
    found, objects = beside(images, (ResultKind.FHIR,))
    assert objects == []
    assert resources(found, "DocumentReference") == []
    for one in resources(found, "Observation"):
        assert [two["type"] for two in one["derivedFrom"] if "type" in two] == ["ImagingStudy"]


def test_a_finding_has_the_identity_that_report_map_and_segment_give_it(images: Images) -> None:
    found, objects = beside(images, tuple(ResultKind))
    [segment] = next(one for one in objects if one.kind is ResultKind.SEG).dataset.SegmentSequence
    by_code = {one["code"]["coding"][0]["code"]: one for one in resources(found, "Observation")}
    _, tracking, name = by_code[LESION.code.value]["identifier"]
    assert uid(tracking) == segment.TrackingUID
    assert name["value"] == segment.TrackingID


def test_the_image_on_which_a_finding_is_strongest_is_named(images: Images) -> None:
    found, _ = beside(images, (ResultKind.FHIR,))
    by_code = {one["code"]["coding"][0]["code"]: one for one in resources(found, "Observation")}
    [image] = by_code[LESION.code.value]["contained"]
    [series] = image["series"]
    assert series["uid"] == "1.2.3.4"
    assert series["modality"]["code"] == "CT"
    assert [one["uid"] for one in series["instance"]] == ["1.2.3.4.2"]
    assert {"reference": "#image"} in by_code[LESION.code.value]["derivedFrom"]
    assert "contained" not in by_code["NOFIND"], "which is no finding"


def test_each_class_names_its_own_image(images: Images) -> None:
    sign = ClassSpec("Sign", Code("SIGN", "99PACSAI", "Sign"), 0.5, positive=True)
    seen = [
        replace(one, probabilities=values)
        for one, values in zip(images([0.9, 0.9]), ((0.9, 0.6), (0.8, 0.7)), strict=True)
    ]
    found = bundle(study(seen, model((LESION, sign), "sigmoid")))
    shown = {
        one["code"]["coding"][0]["code"]: one["contained"][0]["series"][0]["instance"][0]["uid"]
        for one in resources(found, "Observation")
        if "contained" in one
    }
    assert shown == {LESION.code.value: "1.2.3.4.1", "SIGN": "1.2.3.4.2"}


def test_nobody_is_named_unless_that_is_wanted(images: Images) -> None:
    found, _ = beside(images, tuple(ResultKind))
    assert list(names_of(found)) == []
    wanted, _ = beside(images, (ResultKind.FHIR,), replace(CONTEXT, name_patient=True))
    assert set(names_of(wanted)) == {"Doe Jane"}


def test_an_order_is_named_in_each_observation(images: Images) -> None:
    found, _ = beside(images, (ResultKind.FHIR,))
    for one in resources(found, "Observation"):
        assert [two["identifier"]["value"] for two in one["basedOn"]] == ["ACC1"]


@pytest.mark.parametrize("kinds", [(ResultKind.FHIR,), tuple(ResultKind)])
def test_every_entry_is_found_again_and_no_two_are_the_same(
    images: Images, kinds: tuple[ResultKind, ...]
) -> None:
    found, _ = beside(images, kinds)
    requests = [entry["request"] for entry in found["entry"]]
    assert {one["method"] for one in requests} == {"PUT"}
    urls = {one["url"] for one in requests}
    assert len(urls) == len({entry["fullUrl"] for entry in found["entry"]}) == len(requests)
    for entry in found["entry"]:
        kind, _, query = entry["request"]["url"].partition("?")
        name, _, value = query.partition("=")
        resource = entry["resource"]
        assert kind == resource["resourceType"]
        tokens = resource["identifier"] if name == "identifier" else resource["meta"]["tag"]
        known = ["|".join((one["system"], one.get("value") or one["code"])) for one in tokens[:1]]
        assert known == [value]


def test_a_bundle_of_a_study_that_was_not_analysable_has_its_origin(images: Images) -> None:
    said = refusal(images([0.9]))
    kinds = [ResultKind.FHIR, ResultKind.REPORT]
    report, document = build_refusals(said, kinds, CONTEXT)
    found = parsed_bundle(document.encode())
    [reference] = resources(found, "DocumentReference")
    assert uid(reference["masterIdentifier"]) == report.sop_instance_uid
    [provenance] = resources(found, "Provenance")
    assert len(provenance["target"]) == 2


def test_documents_are_the_same_bytes_under_the_same_uid(images: Images) -> None:
    prediction = study(images([0.9]))
    asked = [tuple(ResultKind), (*DOCUMENTS, ResultKind.REPORT), tuple(DOCUMENTS)]
    known: dict[str, bytes] = {}
    for kinds in asked * 2:
        for one in build_results(prediction, kinds, CONTEXT, grey):
            if one.kind in DOCUMENTS:
                assert known.setdefault(one.sop_instance_uid, one.encode()) == one.encode()
    assert len(known) == len(asked) * len(DOCUMENTS)
