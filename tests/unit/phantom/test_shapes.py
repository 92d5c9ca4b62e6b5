import numpy as np
import pytest

from pacs_ai.phantom.shapes import Ellipsoid, Grid, box_of, paint, smooth_field

GRID = Grid(rows=100, columns=100)


def canvas() -> np.ndarray:
    return np.zeros((GRID.rows, GRID.columns))


def test_a_disc_lies_where_it_should() -> None:
    picture = canvas()
    disc = Ellipsoid(x=0.5, y=-0.5, rx=0.1, ry=0.2, value=1.0, edge=0.01)
    paint(picture, GRID, disc)
    assert box_of(GRID, disc) == (70, 15, 80, 35)
    assert picture[25, 75] == pytest.approx(1.0)
    assert picture[25, 60] == 0.0


def test_zoom_and_shift_move_the_anatomy() -> None:
    grid = Grid(rows=100, columns=100, zoom=2.0, dx=0.2)
    disc = Ellipsoid(x=0.1, y=0.0, rx=0.1, ry=0.1, value=1.0)
    assert box_of(grid, disc) == (60, 40, 80, 60)


def test_a_turned_shape_is_the_same_shape_turned() -> None:
    upright, turned = canvas(), canvas()
    paint(upright, GRID, Ellipsoid(x=0, y=0, rx=0.2, ry=0.5, value=1.0))
    paint(turned, GRID, Ellipsoid(x=0, y=0, rx=0.2, ry=0.5, value=1.0, angle=np.pi / 2))
    assert turned == pytest.approx(upright.T, abs=1e-9)
    assert np.abs(turned - upright).max() > 0.9


def test_a_cut_away_from_the_middle_is_smaller_and_ends() -> None:
    ball = Ellipsoid(x=0, y=0, rx=0.5, ry=0.5, value=1.0, rz=1.0)
    wide, narrow = (box_of(GRID, ball, z) for z in (0.0, 0.9))
    assert wide is not None
    assert narrow is not None
    assert narrow[2] - narrow[0] < wide[2] - wide[0]
    assert box_of(GRID, ball, 1.1) is None


def test_a_shape_outside_of_the_image_draws_nothing() -> None:
    picture = canvas()
    far = Ellipsoid(x=3, y=0, rx=0.1, ry=0.1, value=1.0)
    paint(picture, GRID, far)
    assert box_of(GRID, far) is None
    assert not picture.any()


def test_adding_keeps_what_lies_beneath() -> None:
    picture = canvas() + 5.0
    paint(picture, GRID, Ellipsoid(x=0, y=0, rx=0.5, ry=0.5, value=1.0, add=True))
    assert picture[50, 50] == pytest.approx(6.0)


def test_a_ring_is_hollow() -> None:
    picture = canvas()
    paint(picture, GRID, Ellipsoid(x=0, y=0, rx=0.5, ry=0.5, value=1.0, ring=0.1))
    assert picture[50, 50] == pytest.approx(0.0, abs=1e-6)
    assert picture[50, 75] > 0.9


def test_a_smooth_field_is_smooth() -> None:
    field = smooth_field(np.random.default_rng(1), 90, 120, cells=3)
    assert field.shape == (90, 120)
    assert 0.1 < field.std() < 2.0
    assert np.abs(np.diff(field, axis=0)).max() < 0.2
