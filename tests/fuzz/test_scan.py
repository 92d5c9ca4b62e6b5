"""Generated data sets, sound and damaged, with pydicom as the judge of what they say.

A sound one is taken, and says what pydicom reads. A damaged one is taken or refused and never
anything else; where it is taken and pydicom can read it, both read the same.
``PACS_AI_FUZZ_EXAMPLES`` makes the run longer.
"""

import os
import tempfile
import warnings
from io import BytesIO
from operator import attrgetter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pacs_ai.dicom.element_encoding import BadDataset
from pacs_ai.dicom.reading import text
from pacs_ai.dicom.scan import ScannedInstance, scan_instance
from pacs_ai.net.scp.dataset_writer import file_head

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(36_000)]

EXAMPLES = int(os.environ.get("PACS_AI_FUZZ_EXAMPLES", "300"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CT = "1.2.840.10008.5.1.4.1.1.2"
READ = {
    "SOPClassUID": "sop_class_uid",
    "SOPInstanceUID": "sop_instance_uid",
    "StudyInstanceUID": "study_instance_uid",
    "SeriesInstanceUID": "series_instance_uid",
    "Modality": "modality",
    "PatientID": "patient.patient_id",
    "IssuerOfPatientID": "patient.issuer_of_patient_id",
    "PatientName": "patient.patient_name",
    "AccessionNumber": "accession_number",
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "manufacturer_model",
    "SoftwareVersions": "software_versions",
}
UIDS = tuple(READ)[:4]


def words(codec: str) -> st.SearchStrategy[str]:
    letters = st.characters(codec=codec, exclude_categories=["C"], exclude_characters="\\")
    return st.text(letters, max_size=12)


plain, foreign = words("ascii"), words("latin-1")
codes = st.text("ABCXYZ0189 _", max_size=16)
uids = st.lists(st.integers(0, 99999), min_size=2, max_size=6).map(
    lambda parts: ".".join(map(str, parts))
)
fillers = st.one_of(
    st.tuples(st.sampled_from([0x00101010, 0x00180050, 0x00280030]), st.just("DS"), st.just("1.5")),
    st.tuples(st.sampled_from([0x00280010, 0x00280011]), st.just("US"), st.integers(0, 65535)),
    st.tuples(st.sampled_from([0x00091001, 0x7FE11001]), st.just("OB"), st.binary(max_size=40)),
    st.tuples(st.sampled_from([0x00091002]), st.just("UN"), st.binary(max_size=40)),
    st.tuples(st.sampled_from([0x00204000]), st.just("LT"), plain),
)


@st.composite
def datasets(draw: st.DrawFn, depth: int = 2) -> Dataset:
    """A data set with some of what the index wants, and things in between."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = draw(st.sampled_from(["ISO_IR 100", "ISO_IR 100", "ISO_IR 6"]))
    values = foreign if dataset.SpecificCharacterSet == "ISO_IR 100" else plain
    for keyword in READ:
        if keyword in UIDS:
            setattr(dataset, keyword, draw(uids))
        elif draw(st.booleans()):
            setattr(dataset, keyword, draw(codes if keyword == "Modality" else values))
    for tag, vr, value in draw(st.lists(fillers, max_size=5)):
        dataset.add_new(tag, vr, value)
    if depth and draw(st.booleans()):
        items = draw(st.lists(datasets(depth=depth - 1), max_size=2))
        for item in items:
            item.is_undefined_length_sequence_item = draw(st.booleans())
        dataset.add_new(draw(st.sampled_from([0x00081140, 0x00400275])), "SQ", Sequence(items))
        for element in dataset:
            if element.VR == "SQ":
                element.is_undefined_length = draw(st.booleans())
    return dataset


syntaxes = st.sampled_from([ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])


def encode(dataset: Dataset, syntax: str) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = syntax == ImplicitVRLittleEndian
    buffer.is_little_endian = syntax != ExplicitVRBigEndian
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def scanned(content: bytes) -> ScannedInstance:
    with tempfile.NamedTemporaryFile(suffix=".part") as file:
        file.write(content)
        file.flush()
        return scan_instance(Path(file.name), hash_pixels=False)


def judged(content: bytes) -> dict[str, str]:
    """What pydicom reads; an exception of its own kinds where it cannot."""
    dataset = dcmread(BytesIO(content), specific_tags=["SpecificCharacterSet", *READ])
    return {attribute: text(dataset, keyword) for keyword, attribute in READ.items()}


def read(found: ScannedInstance) -> dict[str, str]:
    return {attribute: attrgetter(attribute)(found) for attribute in READ.values()}


@FUZZ
@given(datasets(), syntaxes)
def test_a_sound_data_set_says_what_pydicom_reads(dataset: Dataset, syntax: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = file_head(CT, "1.2.3", syntax, ("MODALITY", "AI_NODE")) + encode(dataset, syntax)
        assert read(scanned(content)) == judged(content)


@FUZZ
@given(
    datasets(),
    syntaxes,
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    st.floats(0, 1),
    st.binary(max_size=6),
)
def test_a_damaged_data_set_is_taken_or_refused(
    dataset: Dataset,
    syntax: str,
    changes: list[tuple[float, int]],
    cut: float,
    appended: bytes,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = bytearray(encode(dataset, syntax))
        for where, value in changes:
            body[int(where * len(body))] = value
        kept = body if cut > 0.5 else body[: int(2 * cut * len(body))]
        content = file_head(CT, "1.2.3", syntax, ("MODALITY", "AI_NODE")) + bytes(kept) + appended
        try:
            found = scanned(content)
        except BadDataset:
            return
        with config.disable_value_validation():
            try:
                expected = judged(content)
            except Exception:  # noqa: BLE001 - what pydicom cannot read it cannot judge
                return
        assert read(found) == expected
