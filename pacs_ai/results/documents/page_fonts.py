"""Fonts of a page: text is split so that every letter has a glyph in an embedded font."""

import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydicom.valuerep import PersonName
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from pacs_ai.errors import ConfigError
from pacs_ai.results.documents.right_to_left import visual

SHIPPED = Path(__file__).resolve().parent / "fonts" / "DejaVuSans.ttf"
"""Latin, Greek, Cyrillic, Hebrew and Arabic letters. Fonts for the rest of the world are large."""

NO_GLYPHS = "(in letters that this page has no font for)"

_IGNORED = ("Cf", "Cc")


@dataclass(frozen=True, slots=True)
class Run:
    """Text as it stands on the page, and the font that has all of its glyphs."""

    text: str
    font: str


class PageFonts:
    """The fonts of a page.

    Parameters
    ----------
    font
        A TrueType font for what the shipped one cannot write; None for none.

    Raises
    ------
    ConfigError
        If the font cannot be used.
    """

    def __init__(self, font: Path | None = None) -> None:
        self._fonts = [_load(path) for path in (SHIPPED, font) if path is not None]

    @property
    def plain(self) -> str:
        """Name of the font for the page's own words."""
        return str(self._fonts[0].fontName)

    def run(self, text: str) -> Run | None:
        """Make a line of text ready for the page; None if no font has all of its letters."""
        shown = unicodedata.normalize("NFC", text.replace("\t", " ").replace("\n", " "))
        letters = "".join(c for c in shown if unicodedata.category(c) not in _IGNORED)
        ordered = visual(letters)
        for font in self._fonts:
            if all(ord(letter) in font.face.charToGlyph for letter in ordered):
                return Run(ordered, str(font.fontName))
        return None

    def line(self, text: str) -> Run:
        """Make a line ready, or say in its place that it cannot be written."""
        return self.run(text) or Run(NO_GLYPHS, self.plain)

    def name(self, name: PersonName) -> list[Run]:
        """Write a person's name: each of its representations that there are letters for.

        Parameters
        ----------
        name
            With up to three groups: alphabetic, ideographic, phonetic (PS3.5 Section 6.2.1).
        """
        groups = [_plain(group) for group in str(name).split("=")]
        runs = [self.run(group) for group in dict.fromkeys(groups) if group]
        written = [run for run in runs if run is not None]
        return written or ([self.line("\N{REPLACEMENT CHARACTER}")] if runs else [])


def _plain(group: str) -> str:
    """Join the parts of a name as people write it: family, given, middle, prefix, suffix."""
    return " ".join(part for part in group.split("^") if part)


@cache
def _load(path: Path) -> TTFont:
    """Register a font with the library once, under a name of its own."""
    try:
        font = TTFont(f"PacsAI-{path.stem}", str(path))
    except (TTFError, OSError) as error:
        raise ConfigError(f"{path}: is not a TrueType font that a page can hold") from error
    pdfmetrics.registerFont(font)
    return font
