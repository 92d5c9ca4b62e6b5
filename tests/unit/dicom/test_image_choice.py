"""Which images of a sequence a model is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pacs_ai.dicom.image_choice import ImageChoice, choose
from pacs_ai.dicom.series import InputRules, select_images
from tests.unit.dicom.test_series import image

CHOICES = ("all", "central-1", "central-5", "every-2", "every-4")


@given(st.integers(0, 300), st.sampled_from(CHOICES))
def test_places_are_ascending_and_in_the_sequence(count, choice):
    places = list(choose(count, choice))
    assert places == sorted(set(places) & set(range(count)))
    assert bool(places) == bool(count)


@given(st.integers(1, 300), st.integers(1, 40))
def test_the_central_ones_have_as_many_before_as_after_them(count, wanted):
    places = list(choose(count, f"central-{wanted}"))
    assert len(places) == min(count, wanted)
    assert 0 <= (count - 1 - places[-1]) - places[0] <= 1


def test_every_fourth_begins_with_the_first():
    assert list(choose(10, "every-4")) == [0, 4, 8]


def rules(choice, modality="CT", limit=512):
    return InputRules((modality,), limit, images=choice)


def numbers(selection):
    return [(header.instance_number, frame) for header, frame in selection.frames]


def test_slices_are_chosen_of_the_series_in_its_order():
    slices = [image(instance_number=n) for n in range(1, 121)]
    selection = select_images(slices[::-1], rules("central-5"))
    assert numbers(selection) == [(n, 1) for n in range(58, 63)]
    assert (selection.passed_over, selection.thinned) == (115, 0)


def test_what_is_chosen_is_thinned_afterwards():
    slices = [image(instance_number=n) for n in range(100)]
    selection = select_images(slices, rules("every-2", limit=10))
    assert (len(selection.frames), selection.passed_over, selection.thinned) == (10, 50, 40)
    assert all(n % 2 == 0 for n, _ in numbers(selection))


@pytest.mark.parametrize(
    ("lost", "listed", "unread"),
    [(5, [3, 4, 6, 7], [5]), (1, [3, 4, 5, 6, 7], []), (9, [3, 4, 5, 6, 7], [])],
)
def test_a_slice_without_pixels_keeps_its_place_in_the_sequence(lost, listed, unread):
    slices = [image(instance_number=n, has_pixels=n != lost) for n in range(1, 10)]
    selection = select_images(slices[::-1], rules("central-5"))
    assert numbers(selection) == [(n, 1) for n in (*listed, *unread)]
    assert selection.passed_over == 4


def test_of_a_movie_without_pixels_the_same_frames_are_missing_that_would_be_shown():
    movies = [image(modality="MG", instance_number=n, frames=40, has_pixels=n > 1) for n in (1, 2)]
    selection = select_images(movies, rules("central-2", "MG"))
    assert numbers(selection) == [(2, 20), (2, 21), (1, 20), (1, 21)]


def test_each_view_is_taken_and_of_each_movie_its_central_frames():
    films = [image(modality="MG", instance_number=n) for n in (1, 2)]
    movie = image(modality="MG", instance_number=3, frames=40)
    selection = select_images([*films, movie], rules("central-2", "MG"))
    assert numbers(selection) == [(1, 1), (2, 1), (3, 20), (3, 21)]
    assert selection.passed_over == 38


@pytest.mark.parametrize("name", ["central", "central-0", "every-1", "every-0", "first-3", "ALL"])
def test_other_choices_are_refused(name):
    with pytest.raises(ValidationError, match="must be all, central-N with N from 1"):
        TypeAdapter(ImageChoice).validate_python(name)
