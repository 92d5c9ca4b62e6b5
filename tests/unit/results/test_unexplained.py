"""A model without heat maps says so in every kind of result that it gives."""

from dataclasses import replace

import numpy as np
import pytest

from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.errors import InvalidResult
from pacs_ai.model.reservations import reservations_of
from pacs_ai.results.build import BuiltResult, build_results
from pacs_ai.results.kinds import NEED_HEAT_MAPS
from tests.unit.results.conftest import Images
from tests.unit.results.samples import CONTEXT, grey, model, study
from tests.unit.results.sr.report_content import walk

REASON = "the last layer does not take the mean of a feature map"
MADE = sorted(set(ResultKind) - NEED_HEAT_MAPS)


@pytest.fixture
def unexplained(images: Images) -> StudyPrediction:
    shown = images([0.9, 0.1])
    flat = np.zeros((2, 1, 1), dtype=np.float32)
    found = study([replace(one, saliency=flat) for one in shown], model())
    found = replace(found, model=replace(found.model, unexplained=REASON))
    return replace(found, reservations=reservations_of(found))


def test_what_shows_only_heat_maps_is_refused_and_the_rest_is_made() -> None:
    shown = {ResultKind.REGION, ResultKind.MAP, ResultKind.SEG, ResultKind.LABEL_MAP}
    assert shown == NEED_HEAT_MAPS


@pytest.mark.parametrize("kind", sorted(NEED_HEAT_MAPS))
def test_a_kind_of_heat_maps_is_refused_with_the_reason(
    kind: ResultKind, unexplained: StudyPrediction
) -> None:
    with pytest.raises(InvalidResult, match=f"no heat maps: {REASON}"):
        list(build_results(unexplained, [kind], CONTEXT, grey))


@pytest.mark.parametrize(
    "kind", [kind for kind in MADE if kind not in (ResultKind.PDF, ResultKind.KEY_OBJECT)]
)
def test_every_other_kind_says_that_there_is_no_explanation(
    kind: ResultKind, unexplained: StudyPrediction
) -> None:
    [first, *_] = build_results(unexplained, [kind], CONTEXT, grey)
    if isinstance(first, BuiltResult):
        said = "\n".join(
            str(one.value) for one in first.dataset.iterall() if one.keyword != "PixelData"
        )
        assert REASON in said or "images without a heat map" in said
    else:
        assert f"no explanation: {REASON}" in first.encode().decode().lower()


def test_a_page_says_it_in_the_caution_and_below_the_picture(
    unexplained: StudyPrediction, texts: list[tuple[float, float, float, str]]
) -> None:
    list(build_results(unexplained, [ResultKind.PDF], CONTEXT, grey))
    written = " ".join(text for *_, text in texts).lower()
    assert written.count("no explanation: the last layer") == 2


def test_a_report_points_at_no_place(unexplained: StudyPrediction) -> None:
    [report] = build_results(unexplained, [ResultKind.REPORT], CONTEXT, grey)
    numbers = [item for item in walk(report.dataset) if item.get("ValueType") == "NUM"]
    assert numbers
    assert not [item for item in numbers if "ContentSequence" in item]
