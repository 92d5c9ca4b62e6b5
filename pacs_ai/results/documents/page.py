"""The page: a report on one sheet of A4, for systems that only show documents."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from pacs_ai.dicom.dates_times import date_of
from pacs_ai.dicom.reading import text, value_of
from pacs_ai.domain import Decision
from pacs_ai.results.common.codes import class_title
from pacs_ai.results.common.context import MODEL_NAME
from pacs_ai.results.content.report_summary import ReportSummary, Statement
from pacs_ai.results.content.wording import omission, operating_point, percent
from pacs_ai.results.documents.page_fonts import PageFonts, Run

_WIDTH, _HEIGHT = A4
_MARGIN = 45.0
_RIGHT = _WIDTH - _MARGIN
_SIZE = 9.5
_LEADING = 14.0
_SMALL = 8.0
_MIDDLE = _WIDTH / 2
_LABEL = 65.0
_COLUMNS = (_MARGIN, 250.0, 325.0, 480.0)
"""Where class, probability and operating point begin, and the latest that the last may end."""

_SMALLEST = 6.0
_GAP = 6.0
_MAX_ROWS = 16
_MAX_LINES = 8
_BIG_LINES = 4
_QUALITY = 92

_INK = (0.10, 0.12, 0.15)
_SOFT = (0.42, 0.45, 0.50)
_LINE = (0.82, 0.84, 0.87)
_WARNING = (0.55, 0.27, 0.0)
_COLOURS = {
    Decision.PRESENT: (0.65, 0.11, 0.0),
    Decision.UNDETERMINED: _WARNING,
    Decision.ABSENT: (0.0, 0.33, 0.42),
    None: _INK,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What is shown under the table: RGB, shape (rows, columns, 3), and what it is."""

    pixels: npt.NDArray[np.uint8]
    caption: str


def draw_page(summary: ReportSummary, picture: Picture | None, font: Path | None) -> bytes:
    """Draw a report; the same summary and picture give the same bytes.

    Parameters
    ----------
    summary
        What it says.
    picture
        The heat map over the image, if there is one.
    font
        A TrueType font for names that the shipped one has no letters for.

    Returns
    -------
    bytes
        A PDF document with all fonts embedded.
    """
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    canvas.setTitle("AI classification report")
    canvas.setAuthor(MODEL_NAME)
    _Page(canvas, PageFonts(font)).fill(summary, picture)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


class _Page:
    """A sheet that is written from top to bottom; ``y`` is where the next line stands."""

    def __init__(self, canvas: Canvas, lettering: PageFonts) -> None:
        self._canvas = canvas
        self._letters = lettering
        self.y = _HEIGHT - _MARGIN

    def fill(self, summary: ReportSummary, picture: Picture | None) -> None:
        self._head()
        self._patient(summary.source)
        self._verdict(summary)
        self._table(summary.statements)
        self._model(summary)
        self._foot(summary)
        if picture is not None:
            self._show(picture)

    def _head(self) -> None:
        self._put(_MARGIN, "AI classification report", size=17)
        notice = "AI RESEARCH - NOT FOR CLINICAL USE"
        self._put(_RIGHT, notice, colour=_WARNING, right=True)
        self.y -= _LEADING
        self._rule()

    def _patient(self, source: Dataset) -> None:
        value = value_of(source, "PatientName")
        names = self._letters.name(value) if isinstance(value, PersonName) else []
        left = [("Patient", names or [self._letters.line("(no name)")])]
        left += self._facts(source, ("Patient ID", "PatientID"), ("Born", "PatientBirthDate"))
        right = self._facts(
            source,
            ("Study", "StudyDescription"),
            ("Study date", "StudyDate"),
            ("Accession", "AccessionNumber"),
        )
        top = self.y
        for x, end, facts in ((_MARGIN, _MIDDLE - 10, left), (_MIDDLE, _RIGHT, right)):
            self.y = top
            for label, runs in facts:
                self._put(x, label, colour=_SOFT)
                self._runs(x + _LABEL, runs, end)
                self.y -= _LEADING
        self.y = top - 3 * _LEADING
        self._rule()

    def _facts(self, source: Dataset, *wanted: tuple[str, str]) -> list[tuple[str, list[Run]]]:
        found = [(label, key, text(source, key) or "-") for label, key in wanted]
        return [
            (label, [self._letters.line(_date(value) if key.endswith("Date") else value)])
            for label, key, value in found
        ]

    def _verdict(self, summary: ReportSummary) -> None:
        self.y -= 4
        colour = _COLOURS[summary.statements[0].decision] if summary.statements else _WARNING
        big = len(self._wrapped(summary.conclusion, 13.0)) <= _BIG_LINES
        size = 13.0 if big else _SIZE
        self._paragraph(summary.conclusion, size, colour)
        for line in summary.reserve:
            self._paragraph(f"With reserve: {line}", _SIZE, _WARNING)
        if summary.compared:
            self._paragraph(f"{summary.compared}.", _SIZE, _INK)
        self.y -= 4

    def _table(self, statements: Sequence[Statement]) -> None:
        if not statements:
            return
        name, probability, point, last = _COLUMNS
        titles = ((name, "Class"), (probability, "Probability"), (point, "Operating point"))
        for x, title in titles:
            self._put(x, title, colour=_SOFT)
        self._put(_RIGHT, "Decision", colour=_SOFT, right=True)
        self.y -= _LEADING
        for one in statements[:_MAX_ROWS]:
            self._put(name, class_title(one.spec), end=probability - 8)
            self._put(probability, percent(one.probability))
            if one.spec.positive:
                self._put(point, operating_point(one.spec), end=last)
            if one.decision is not None:
                self._put(_RIGHT, str(one.decision), colour=_COLOURS[one.decision], right=True)
            self.y -= _LEADING
        if (left_out := len(statements) - _MAX_ROWS) > 0:
            self._put(_MARGIN, f"and {left_out} less probable classes", colour=_SOFT)
            self.y -= _LEADING
        self._rule()

    def _model(self, summary: ReportSummary) -> None:
        model = summary.model
        height, width = model.input_size
        several = summary.instances > 1
        looked = f"{summary.instances} instance{'s' * several} looked at"
        if summary.coverage is not None:
            looked = summary.coverage.sentence
        how = f", {model.aggregation} of the images" if several else ""
        if summary.statements:
            looked = (
                f"Probabilities calibrated with temperature {model.temperature:g}{how}; {looked}"
            )
        self._paragraph(
            f"Model {model.name} {model.version} by {model.manufacturer}, weights "
            f"{model.sha256[:16]}; input {width} x {height}, {model.preprocess}",
            _SMALL,
            _SOFT,
        )
        self._paragraph(looked, _SMALL, _SOFT)
        if said := omission(summary.left_out):
            self._paragraph(said[:1].upper() + said[1:], _SMALL, _SOFT)

    def _foot(self, summary: ReportSummary) -> None:
        here, self.y = self.y, _MARGIN - 12
        word = "Dated like its images" if summary.like_images else "Made"
        at = f"{summary.made_at:%Y-%m-%d %H:%M:%S %z}"
        made = f"{word} {at} by {MODEL_NAME}. Nobody has checked it."
        self._put(_MARGIN, made, size=7.5, colour=_SOFT)
        self._put(_RIGHT, "Not a medical device", size=7.5, colour=_SOFT, right=True)
        self.y = here

    def _show(self, picture: Picture) -> None:
        """Show the picture as large as the rest of the page allows."""
        rows, columns = picture.pixels.shape[:2]
        below = 1.4 * _SMALL * len(self._wrapped(picture.caption, _SMALL))
        room = self.y - (_MARGIN + _LEADING + below)
        scale = min((_RIGHT - _MARGIN) / columns, room / rows)
        width, height = columns * scale, rows * scale
        stream = BytesIO()
        Image.fromarray(picture.pixels).save(stream, "JPEG", quality=_QUALITY, subsampling=0)
        stream.seek(0)
        top = self.y
        self._canvas.drawImage(
            ImageReader(stream), (_WIDTH - width) / 2, top - height, width, height
        )
        self.y = top - height - 12
        self._paragraph(picture.caption, _SMALL, _SOFT)

    def _put(
        self,
        x: float,
        words: str,
        *,
        size: float = _SIZE,
        colour: tuple[float, float, float] = _INK,
        right: bool = False,
        end: float = _RIGHT,
    ) -> None:
        run = self._letters.line(words)
        self._canvas.setFillColorRGB(*colour)
        self._canvas.setFont(run.font, size)
        if right:
            self._canvas.drawRightString(x, self.y, run.text)
        else:
            self._squeezed(x, [run], size, end)

    def _runs(self, x: float, runs: Sequence[Run], end: float) -> None:
        """Write text in several fonts, smaller where it is long: nothing of it is left out."""
        self._canvas.setFillColorRGB(*_INK)
        size = _SIZE
        while size > _SMALLEST and self._width(runs, size) > end - x:
            size -= 0.5
        self._squeezed(x, runs, size, end)

    def _squeezed(self, x: float, runs: Sequence[Run], size: float, end: float) -> None:
        """Write text in its natural width, or as wide as the space allows."""
        canvas = self._canvas
        canvas.saveState()
        canvas.translate(x, self.y)
        canvas.scale(min(1.0, (end - x) / max(1.0, self._width(runs, size))), 1)
        at = 0.0
        for run in runs:
            canvas.setFont(run.font, size)
            canvas.drawString(at, 0, run.text)
            at += canvas.stringWidth(run.text, run.font, size) + _GAP
        canvas.restoreState()

    def _width(self, runs: Sequence[Run], size: float) -> float:
        widths = [self._canvas.stringWidth(run.text, run.font, size) for run in runs]
        return float(sum(widths)) + _GAP * (len(runs) - 1)

    def _paragraph(self, words: str, size: float, colour: tuple[float, float, float]) -> None:
        """Write text over as many lines as it takes, eight at most."""
        lines = self._wrapped(words, size)
        if len(lines) > _MAX_LINES:
            lines = [*lines[: _MAX_LINES - 1], f"{lines[_MAX_LINES - 1]} ..."]
        for line in lines:
            self._put(_MARGIN, line, size=size, colour=colour)
            self.y -= 1.4 * size

    def _wrapped(self, words: str, size: float) -> list[str]:
        lines = [""]
        for word in words.split():
            longer = f"{lines[-1]} {word}".strip()
            width = self._canvas.stringWidth(longer, self._letters.plain, size)
            if width > _RIGHT - _MARGIN and lines[-1]:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines

    def _rule(self) -> None:
        """Draw a line across between the last line of text and the next."""
        self.y += 4
        self._canvas.setStrokeColorRGB(*_LINE)
        self._canvas.line(_MARGIN, self.y, _RIGHT, self.y)
        self.y -= 1.3 * _LEADING


def _date(value: str) -> str:
    """Write a DICOM date for people; a dash if it is no valid date."""
    day = date_of(value)
    return "-" if day is None else day.isoformat()
