"""Plots of the reports: SVG in the page, the same bytes for the same numbers."""

import re
import xml.etree.ElementTree as ET

import pytest

from training.report import plots

pytestmark = pytest.mark.train

NAME = "<b>$x$ & y"
CURVE = {
    "roc": [(0.0, 0.0), (0.2, 0.7), (1.0, 1.0)],
    "band": [(0.0, 0.0, 0.2), (0.5, 0.6, 0.9), (1.0, 1.0, 1.0)],
    "precision_recall": [(0.1, 1.0), (0.7, 0.8), (1.0, 0.4)],
    "reliability": [(0.1, 0.2, 30), (0.8, 0.7, 5)],
    "histogram": [(4, 1), (0, 0), (1, 9)],
    "operating": (0.4, 0.2, 0.7),
}
FIGURE = {"value": 0.8, "low": 0.7, "high": 0.9}
NONE = {"value": None, "low": None, "high": None}


def drawings() -> dict[str, str]:
    return {
        "roc": plots.roc(CURVE, NAME),
        "precision and recall": plots.precision_recall(CURVE, NAME, 0.4),
        "reliability": plots.reliability(CURVE, NAME),
        "histogram": plots.histogram(CURVE, NAME),
        "confusion": plots.confusion([[5, 2], [0, 0]], ["none", NAME]),
        "forest": plots.forest([(NAME, FIGURE), ("few", NONE)], mark=0.75),
        "of nothing": plots.roc(CURVE | {"band": [], "roc": [], "operating": None}, NAME),
    }


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert drawings() == drawings()


@pytest.mark.parametrize("kind", list(drawings()))
def test_a_drawing_is_one_element_with_a_label_and_without_styles_for_the_page(kind: str) -> None:
    found = drawings()[kind]
    # an element of a page: HTML knows the namespaces
    element = ET.fromstring(found.replace("xlink:", ""))  # noqa: S314 - our own
    assert element.tag.endswith("svg")
    assert element.get("role") == "img"
    assert element.get("aria-label")
    assert float(element.get("width", "")) > 100, "in pixels"
    assert "<style" not in found
    assert "<metadata" not in found


def test_text_stays_text_and_a_name_is_shown_as_it_is() -> None:
    for kind in ("confusion", "forest"):
        texts = "".join(re.findall(r"<text[^>]*>([^<]*)</text>", drawings()[kind]))
        assert "&lt;b&gt;$x$" in texts, kind
        assert "not defined" in drawings()["forest"]
