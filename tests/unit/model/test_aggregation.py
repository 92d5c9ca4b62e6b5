"""How the probabilities of images become those of a study."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import TypeAdapter, ValidationError

from pacs_ai.model.aggregation import Aggregation, Combination

RULES = ("max", "mean", "top-2-mean", "top-7-mean", "noisy-or")
ACTIVATIONS = ("softmax", "sigmoid")

tables = arrays(
    np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(0.0, 1.0)
)


def probabilities(table, activation):
    if activation == "sigmoid":
        return table
    filled = table + (table.sum(axis=1, keepdims=True) == 0)
    return filled / filled.sum(axis=1, keepdims=True)


@given(tables, st.sampled_from(RULES), st.sampled_from(ACTIVATIONS), st.integers(0, 63))
def test_a_study_has_probabilities_and_softmax_a_vector_of_them(table, rule, activation, bits):
    positive = [bool(bits >> k & 1) for k in range(table.shape[1])]
    combined = Combination(rule, activation, positive).combine(probabilities(table, activation))
    assert combined.shape == (table.shape[1],)
    assert (combined >= 0).all()
    assert (combined <= 1 + 1e-9).all()
    if activation == "softmax" and sum(positive) < 2:
        assert combined.sum() == pytest.approx(1.0)


@given(tables, st.sampled_from(RULES), st.sampled_from(ACTIVATIONS), st.integers(0, 63))
def test_one_image_says_what_it_says(table, rule, activation, bits):
    one = probabilities(table[:1], activation)
    positive = [bool(bits >> k & 1) for k in range(table.shape[1])]
    combined = Combination(rule, activation, positive).combine(one)
    assert combined == pytest.approx(one[0], abs=1e-12)


@given(tables, st.sampled_from(RULES), st.sampled_from(ACTIVATIONS), st.randoms())
def test_the_order_of_the_images_does_not_matter(table, rule, activation, random):
    table = probabilities(np.round(table, 3) + np.arange(len(table))[:, None] * 1e-4, activation)
    table = np.clip(table, 0.0, 1.0)
    mixed = table[random.sample(range(len(table)), len(table))]
    rule = Combination(rule, activation, [True] * table.shape[1])
    if len(set(rule.scores(table))) == len(table):  # of equal images the first is taken
        assert rule.combine(mixed) == pytest.approx(rule.combine(table))


@given(tables, st.sampled_from(RULES), st.integers(0, 5))
def test_a_finding_that_is_more_probable_on_an_image_is_not_less_so_in_the_study(table, rule, at):
    rule = Combination(rule, "sigmoid", [True] * table.shape[1])
    raised = table.copy()
    raised[at % len(table)] = np.minimum(raised[at % len(table)] + 0.1, 1.0)
    assert (rule.combine(raised) >= rule.combine(table) - 1e-12).all()


@pytest.mark.parametrize(
    ("rule", "activation", "wanted"),
    [
        ("max", "softmax", [0.1, 0.9]),
        ("max", "sigmoid", [0.8, 0.9]),
        ("mean", "softmax", [0.5, 0.5]),
        ("top-2-mean", "softmax", [0.35, 0.65]),
        ("top-2-mean", "sigmoid", [0.7, 0.65]),
        ("top-9-mean", "sigmoid", [0.5, 0.5]),
        ("noisy-or", "softmax", [0.8 * 0.6 * 0.1, 1 - 0.8 * 0.6 * 0.1]),
        ("noisy-or", "sigmoid", [0.8 * 0.6 * 0.1, 1 - 0.8 * 0.6 * 0.1]),
    ],
)
def test_the_rules_on_three_images(rule, activation, wanted):
    table = np.array([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]])
    combined = Combination(rule, activation, [False, True]).combine(table)
    assert combined.tolist() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("max", [0.05, 0.05, 0.9, 0.8]),
        ("mean", [0.2, 0.06, 0.34, 0.4]),
        ("top-2-mean", [0.075, 0.05, 0.485, 0.6]),
        ("noisy-or", [0.2 / 0.26, 0.06 / 0.26, 1 - 0.1 * 0.95 * 0.93, 1 - 1.0 * 0.2 * 0.6]),
    ],
)
def test_no_finding_vanishes_behind_the_image_of_another(rule, wanted):
    """Two findings of a study, each on an image of its own, under a softmax."""
    table = np.array([[0.05, 0.05, 0.9, 0.0], [0.1, 0.05, 0.05, 0.8], [0.45, 0.08, 0.07, 0.4]])
    combined = Combination(rule, "softmax", [False, False, True, True]).combine(table)
    if rule == "noisy-or":
        wanted = [*(np.array(wanted[:2]) * 0.1 * 0.15 * 0.53), *wanted[2:]]
    assert combined.tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("name", ["median", "top-1-mean", "top-0-mean", "top-mean", "MAX", ""])
def test_other_rules_are_refused(name):
    with pytest.raises(ValidationError, match="must be max, mean, noisy-or or top-N-mean"):
        TypeAdapter(Aggregation).validate_python(name)
