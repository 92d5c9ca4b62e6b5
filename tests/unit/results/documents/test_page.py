import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pydicom
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from pydicom.valuerep import PersonName
from reportlab.lib.pagesizes import A4

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import Reservation, ResultKind
from pacs_ai.errors import ConfigError
from pacs_ai.results.build import BuiltResult, build_refusals, build_results
from pacs_ai.results.documents.page_fonts import NO_GLYPHS, SHIPPED, PageFonts
from pacs_ai.results.documents.right_to_left import visual
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    CONTEXT,
    LESION,
    grey,
    image,
    model,
    radiograph,
    refusal,
    save,
    study,
)


def chinese_font(folder: Path, letters: str) -> Path:
    """A font of squares: what matters is which letters it has."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((0, 700))
    pen.lineTo((700, 700))
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", *(f"uni{ord(letter):04X}" for letter in letters)]
    builder = FontBuilder(1000)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"uni{ord(letter):04X}" for letter in letters})
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (800, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = folder / "squares.ttf"
    builder.save(path)
    return path


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Doe^Jane^^Dr.", ["Doe Jane Dr."]),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["Yamada Tarou"]),
        ("Hong^Gildong=洪^吉洞=홍^길동", ["Hong Gildong"]),
        ("Διονυσιος", ["Διονυσιος"]),
        ("Иванов^Пётр", ["Иванов Пётр"]),
        ("Äneas^Rüdiger", ["Äneas Rüdiger"]),
        ("A\N{COMBINING DIAERESIS}neas", ["Äneas"]),
        ("王^小东", [NO_GLYPHS]),
        ("Wang^XiaoDong=王^小东", ["Wang XiaoDong"]),
        ("", []),
    ],
)
def test_a_name_is_written_in_letters_that_there_are(name: str, written: list[str]) -> None:
    assert [run.text for run in PageFonts().name(PersonName(name))] == written


def test_no_letter_ever_lacks_its_glyph() -> None:
    known = TTFont(SHIPPED).getBestCmap()
    for name in ("قباني^لنزار", "שרון^דבורה", "Doe^Jane\N{ZERO WIDTH JOINER}", "王^小东", "🙂"):
        for run in PageFonts().name(PersonName(name)):
            assert [letter for letter in run.text if ord(letter) not in known] == []


def test_a_font_of_the_site_writes_what_the_shipped_one_cannot(tmp_path: Path) -> None:
    font = chinese_font(tmp_path, "王小东 ")
    written = PageFonts(font).name(PersonName("Wang^XiaoDong=王^小东"))
    assert [run.text for run in written] == ["Wang XiaoDong", "王 小东"]
    assert written[0].font != written[1].font


def test_a_font_that_is_none_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "font.ttf").write_bytes(b"not a font")
    with pytest.raises(ConfigError, match=r"font\.ttf"):
        PageFonts(tmp_path / "font.ttf")


def test_arabic_letters_join_and_run_from_right_to_left() -> None:
    # noon (initial), zain (final), alef, reh - then read from the left
    assert visual("نزار") == "\ufead\ufe8d\ufeb0\ufee7"
    assert visual("لا") == "\ufefb"  # lam and alef become one
    assert visual("محمد (7)") == "(7) \ufeaa\ufee4\ufea4\ufee3"
    assert visual("Doe محمد") == "Doe \ufeaa\ufee4\ufea4\ufee3"


def test_marks_stay_with_their_letters() -> None:
    assert visual("שָׁלוֹם") == "םוֹלשָׁ"
    assert visual("مُحَمَّد")[0] == "\ufeaa"


def page(prediction, **context: object) -> BuiltResult:
    [made] = build_results(prediction, [ResultKind.PDF], replace(CONTEXT, **context), grey)
    assert isinstance(made, BuiltResult)
    assert check_dataset(made.dataset) == []
    return made


def test_a_page_is_a_pdf_in_its_own_series(images: Images) -> None:
    prediction = study(images([0.9]))
    made = page(prediction).dataset
    document = made.EncapsulatedDocument
    assert document.startswith(b"%PDF-1.")
    assert document.rstrip(b"\0").endswith(b"%%EOF\n")
    assert len(document) % 2 == 0
    assert made.EncapsulatedDocumentLength in (len(document), len(document) - 1)
    assert made.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert made.Modality == "DOC"
    assert made.SourceInstanceSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.1"
    assert b"/FontFile2" in document  # embedded: no viewer has to have it
    assert len(re.findall(rb"/Type /Page\b", document)) == 1
    assert document == page(prediction).dataset.EncapsulatedDocument


def test_a_page_shows_the_picture_and_nothing_of_the_patient_in_its_properties(
    images: Images,
) -> None:
    document = page(study(images([0.9]))).dataset.EncapsulatedDocument
    assert b"/DCTDecode" in document
    assert b"Doe" not in document  # page content is compressed, properties are not
    assert b"/Title (AI classification report)" in document


@pytest.mark.parametrize("classes", [14, 40])
def test_a_page_stays_one_page_whatever_it_has_to_say(tmp_path: Path, classes: int) -> None:
    specs = tuple(
        replace(LESION, name=f"A rather long name of class number {n}") for n in range(classes)
    )
    path = save(radiograph(StudyDescription="x" * 64), tmp_path / "1.dcm")
    found = image(path, [0.9] * classes)
    made = page(study([found], model(specs, "sigmoid")))
    made.write(tmp_path / "page.dcm")
    document = pydicom.dcmread(tmp_path / "page.dcm").EncapsulatedDocument
    assert len(re.findall(rb"/Type /Page\b", document)) == 1


LONG = "Wolfeschlegelsteinhausenbergerdorff^Adolph Blaine Charles David"


@pytest.mark.parametrize("name", [LONG, f"{LONG}={LONG.replace('o', 'ö')}"])
def test_no_text_covers_another_or_leaves_the_page(
    tmp_path: Path, texts: list[tuple[float, float, float, str]], name: str
) -> None:
    spec = replace(LESION, name="m" * 64, undetermined=(0.4001, 0.6002))
    identity = replace(model((spec,)), name="m" * 64, version="w" * 64, manufacturer="long " * 12)
    source = radiograph(
        PatientName=name, PatientID="W" * 64, StudyDescription="W" * 64, AccessionNumber="W" * 16
    )
    seen = image(save(source, tmp_path / "1.dcm"), (0.9,))
    reserve = Reservation(LESION.code, 130, "unlike those it learned from " * 6, 0)
    page(replace(study([seen], identity), reservations=(reserve,)))
    assert len(texts) > 20
    left, right = 45, A4[0] - 45
    assert [one for one in texts if one[1] < left - 0.01 or one[2] > right + 0.01] == []
    for (height, _, end, _), (next_height, begin, _, _) in pairwise(sorted(texts)):
        assert height != next_height or begin > end


def test_a_long_reason_stays_on_the_page(
    images: Images, texts: list[tuple[float, float, float, str]]
) -> None:
    said = replace(refusal(images([0.9])), reason="cannot be decoded; " * 100)
    list(build_refusals(said, [ResultKind.PDF], CONTEXT))
    assert min(height for height, *_ in texts) > 30
    assert any(text.endswith(" ...") for *_, text in texts)
    assert [text for *_, text in texts if "alibrated" in text or "Probability" in text] == []
    assert "1 instance looked at" in [text for *_, text in texts]
