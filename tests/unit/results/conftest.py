from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from reportlab.pdfgen.canvas import Canvas

from pacs_ai.domain import ImagePrediction
from pacs_ai.results.documents import page as page_module
from tests.unit.results import samples

Images = Callable[..., list[ImagePrediction]]


@pytest.fixture
def images(tmp_path: Path) -> Images:
    """``images([0.1, 0.9], **values)``: CT slices with these lesion probabilities."""

    def make(lesion: list[float], **values: object) -> list[ImagePrediction]:
        made = []
        for number, p in enumerate(lesion, start=1):
            path = samples.save(samples.ct_slice(number, **values), tmp_path / f"{number}.dcm")
            made.append(samples.image(path, (1 - p, p)))
        return made

    return make


class Watched(Canvas):
    """A canvas that remembers where on the page each text begins and ends, and its height."""

    texts: ClassVar[list[tuple[float, float, float, str]]] = []

    def drawString(self, x: float, y: float, text: str, *rest: object, **more: object) -> None:
        end = x + self.stringWidth(text, self._fontname, self._fontsize)
        (left, height), (right, _) = self.absolutePosition(x, y), self.absolutePosition(end, y)
        self.texts.append((round(height, 3), left, right, text))
        super().drawString(x, y, text, *rest, **more)

    def drawRightString(self, x: float, y: float, text: str, *rest: object) -> None:
        width = self.stringWidth(text, self._fontname, self._fontsize)
        self.texts.append((round(y, 3), x - width, x, text))
        super().drawRightString(x, y, text, *rest)


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float, float, str]]:
    """What was written: height, left and right end, and the text."""
    monkeypatch.setattr(page_module, "Canvas", Watched)
    Watched.texts.clear()
    return Watched.texts
