import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_ai.results.sr.label_placement import MARGIN, place_points

PART = st.floats(0.01, 0.99)


def test_a_place_that_is_free_is_kept_and_the_rest_stacked_in_order() -> None:
    placed = place_points([(0.5, 0.4), None, None])
    assert placed[0] == (0.5, 0.4)
    assert [x for x, _ in placed[1:]] == [MARGIN, MARGIN]
    assert placed[1][1] < placed[2][1]


def test_two_findings_at_one_place_do_not_cover_each_other() -> None:
    first, second = place_points([(0.5, 0.4), (0.51, 0.41)])
    assert first == (0.5, 0.4)
    assert second[0] == MARGIN


def test_a_label_that_would_fall_off_the_image_goes_to_the_margin() -> None:
    assert place_points([(0.5, 0.97)]) == [(MARGIN, pytest.approx(0.07))]


def test_a_label_that_would_be_cut_off_at_the_right_goes_to_the_margin() -> None:
    assert place_points([(0.8, 0.4)])[0][0] == MARGIN


def test_a_line_at_the_margin_keeps_clear_of_an_arrow() -> None:
    peak, *lines = place_points([(0.3, 0.3), None, None, None, None])
    assert peak == (0.3, 0.3)
    assert not any(0.3 < y + 0.1 < 0.4 for _, y in lines), "their text lies above or below it"


def test_many_labels_are_a_list_in_the_order_given() -> None:
    placed = place_points([(0.3, 0.3), (0.5, 0.6), *[None] * 12])
    assert {x for x, _ in placed} == {MARGIN}
    assert [y for _, y in placed] == sorted({y for _, y in placed})


@given(st.lists(st.none() | st.tuples(PART, PART), min_size=1, max_size=32))
def test_labels_never_run_into_each_other(peaks: list[tuple[float, float] | None]) -> None:
    placed = place_points(peaks)
    assert len(placed) == len(peaks)
    assert all(0 < x < 1 and 0 < y <= 0.88 for x, y in placed)
    for index, (x, y) in enumerate(placed):
        for other_x, other_y in placed[:index]:
            apart = 0.02 if x == other_x == MARGIN else 0.03
            assert abs(x - other_x) >= 0.38 or abs(y - other_y) >= apart
