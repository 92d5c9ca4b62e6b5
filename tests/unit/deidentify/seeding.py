"""Identifiers to seed into data sets: one of its own in each place, found again in any bytes."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pydicom
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from pacs_ai.deidentify import kept
from pacs_ai.dicom.image_pixel import LAYOUT_KEYWORDS

FIRST_DAY = date(1931, 3, 1)
TEXT = ("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "CS")
BYTES = ("OB", "OW", "UN", "OB or OW")
# what an image cannot do without, or what would make it another kind
NEEDED = {
    *("SOPClassUID", "Modality", "BurnedInAnnotation", "ConversionType", "SpecificCharacterSet"),
    *(*LAYOUT_KEYWORDS, *kept.NUMBERS, *kept.SEQUENCES, *kept.CODES, "PixelData"),
    *("FloatPixelData", "DoubleFloatPixelData", "ImageType", "DataSetTrailingPadding"),
    *(f"{name}{part}" for name in kept.TABLES for part in ("Descriptor", "Data")),
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PixelPaddingValue"),
}


SHAPES = re.compile(
    rb"(?=(ZQ\d{5}XK|19\d{12}\.\d{6,8}|19\d{6}|101112\.\d{6,8}|7\d{8}|8\d{8}\.25"
    rb"|1\.2\.826\.0\.1\.999\.\d+\.7))"
)
"""Every token has one of these shapes, wherever it stands."""


class Seeds:
    """Makes tokens and remembers them."""

    def __init__(self) -> None:
        self.tokens: list[bytes] = []
        self._days = 0

    def token(self) -> str:
        return self._noted(f"ZQ{len(self.tokens):05d}XK")

    def value(self, vr: str) -> object:
        """A token that a VR can hold; None where it can hold none."""
        number = len(self.tokens)
        if vr in TEXT:
            return f"{self.token()}^A={self.token()}={self.token()}" if vr == "PN" else self.token()
        if vr in BYTES:
            return self.token().encode() + b"\0"
        if vr == "DA":
            self._days += 1
            return self._noted(f"{FIRST_DAY + timedelta(days=self._days % 360):%Y%m%d}")
        others = {
            "TM": f"101112.{900000 + number}",
            "DT": f"19310401101112.{900000 + number}",
            "IS": f"7{number:08d}",
            "DS": f"8{number:08d}.25",
            "UI": f"1.2.826.0.1.999.{number}.7",
        }
        return self._noted(others[vr]) if vr in others else None

    def found_in(self, data: bytes) -> list[str]:
        """The tokens that stand in bytes, in one of the encodings of text."""
        wide = data.replace(b"\0", b"")  # UTF-16 of either order becomes ASCII
        shapes = {found[1] for part in (data, wide) for found in SHAPES.finditer(part)}
        return sorted(token.decode() for token in shapes & set(self.tokens))

    def _noted(self, text: str) -> str:
        self.tokens.append(text.encode())
        return text


def seed(dataset: Dataset, seeds: Seeds) -> None:
    """Put a token into every element of the dictionary, nested and private ones too."""
    full = 20
    for tag, keyword in _elements():
        vr = DicomDictionary[tag][0]
        if vr == "SQ":
            dataset.add_new(tag, "SQ", Sequence([_item(seeds) if full > 0 else _small_item(seeds)]))
            full -= 1
        elif (value := seeds.value(vr)) is not None:
            dataset.add_new(tag, "OB" if vr == "OB or OW" else vr, value)
        assert keyword not in NEEDED
    for group in (0x6000, 0x6002, 0x5000):
        dataset.add_new(
            Tag(group, 0x0022 if group & 0x6000 == 0x6000 else 0x2500), "LO", seeds.token()
        )
        dataset.add_new(Tag(group, 0x3000), "OW", seeds.token().encode() + b"\0")
    _private(dataset, seeds)
    dataset.add_new(0xFFFCFFFC, "OB", seeds.token().encode() + b"\0")
    if "SharedFunctionalGroupsSequence" not in dataset:
        dataset.SharedFunctionalGroupsSequence = Sequence([_item(seeds)])
        dataset.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = Sequence([_item(seeds)])


def seed_file(path: Path, target: Path, seeds: Seeds) -> None:
    """Write a copy of a file with tokens in every place that can hold one."""
    dataset = pydicom.dcmread(path)
    seed(dataset, seeds)
    meta = dataset.file_meta
    meta.ImplementationVersionName = seeds.token()
    for keyword in ("SourceApplicationEntityTitle", "SendingApplicationEntityTitle"):
        setattr(meta, keyword, seeds.token())
    meta.PrivateInformationCreatorUID = seeds.value("UI")
    meta.PrivateInformation = seeds.token().encode() + b"\0"
    dataset.preamble = (seeds.token().encode() * 15)[:128]
    dataset.save_as(target, enforce_file_format=True)
    with target.open("ab") as file:
        file.write(seeds.token().encode())


def _elements() -> Iterator[tuple[int, str]]:
    for tag, (_, _, _, _, keyword) in DicomDictionary.items():
        group = tag >> 16
        plain = group > 2 and group not in (0x0004, 0x0006, 0x7FE0, 0xFFFC, 0xFFFE)
        if plain and tag & 0xFFFF and keyword and keyword not in NEEDED:
            yield tag, keyword


def _item(seeds: Seeds) -> Dataset:
    item = Dataset()
    for keyword in ("PatientName", "PatientID", "CodeMeaning", "SeriesDescription", "TextValue"):
        setattr(item, keyword, seeds.token())
    item.BodyPartExamined, item.AccessionNumber = seeds.token(), seeds.token()
    item.StudyDate, item.FrameOfReferenceUID = seeds.value("DA"), seeds.value("UI")
    inner = Dataset()
    inner.PersonName, inner.UID = seeds.token(), seeds.value("UI")
    _private(inner, seeds)
    item.ContentSequence = Sequence([inner])
    _private(item, seeds)
    return item


def _small_item(seeds: Seeds) -> Dataset:
    item = Dataset()
    item.PatientName, item.CodeMeaning = seeds.token(), seeds.token()
    return item


def _private(dataset: Dataset, seeds: Seeds) -> None:
    block = dataset.private_block(0x0099, seeds.token(), create=True)
    for number, vr in enumerate((*TEXT, "OB", "OW", "UN", "DA", "TM", "DT", "IS", "DS", "UI")):
        block.add_new(number, vr, seeds.value(vr))
    nested = Dataset()
    nested.PatientName = seeds.token()
    block.add_new(0x40, "SQ", Sequence([nested]))
    block.add_new(0x41, "OB", seeds.token().encode("utf-16-le"))
