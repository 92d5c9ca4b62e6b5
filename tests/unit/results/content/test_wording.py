from dataclasses import replace

import pytest

from pacs_ai.results.content.wording import absent_below, bound, operating_point
from tests.unit.results.samples import LESION


@pytest.mark.parametrize(
    ("limit", "written"),
    [(0.5, "50 %"), (0.547547, "54.75 %"), (0.00004, "<0.01 %"), (0.0, "0 %"), (1.0, "100 %")],
)
def test_a_limit_is_as_round_as_it_is(limit: float, written: str) -> None:
    assert bound(limit) == written
    assert operating_point(replace(LESION, threshold=limit)) == written


def test_a_band_is_part_of_the_operating_point() -> None:
    unsure = replace(LESION, undetermined=(0.400049, 0.6))
    assert operating_point(unsure) == "50 %, undetermined 40 to 60 %"
    assert absent_below(unsure) == 0.400049
    assert absent_below(LESION) == 0.5
