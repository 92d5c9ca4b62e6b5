"""What prediction sets hold, and when they leave a finding undetermined."""

import pytest

from pacs_ai.prediction_sets import PredictionSets

CLASSES = PredictionSets(0.9, "classes", (0.5, 0.3, 0.4))
APART = PredictionSets(0.9, "findings", (0.7,), (0.2,))
OVERLAP = PredictionSets(0.9, "findings", (0.3,), (0.6,))
BOTH, NEITHER = "present and absent are both possible", "neither present nor absent fits"
DISAGREE = "the operating point and the prediction set disagree"


@pytest.mark.parametrize(
    ("probabilities", "doubts"),
    [
        ((0.2, 0.7, 0.1), ("", "", "")),
        ((0.1, 0.45, 0.45), ("", BOTH, BOTH)),  # the first class is ruled out
        ((0.45, 0.25, 0.3), (NEITHER, NEITHER, NEITHER)),
        ((0.55, 0.1, 0.35), ("", "", "")),
    ],
)
def test_a_set_of_classes_needs_one_class(
    probabilities: tuple[float, ...], doubts: tuple[str, ...]
) -> None:
    assert tuple(CLASSES.doubt(k, probabilities, 0.5) for k in range(3)) == doubts
    assert CLASSES.band(1, 0.5) is None


@pytest.mark.parametrize(
    ("sets", "p", "doubt"),
    [
        (APART, 0.2, ""),
        (APART, 0.4, NEITHER),
        (APART, 0.7, ""),
        (OVERLAP, 0.29, ""),
        (OVERLAP, 0.3, BOTH),
        (OVERLAP, 0.6, BOTH),
        (OVERLAP, 0.61, ""),
    ],
)
def test_a_finding_needs_one_answer(sets: PredictionSets, p: float, doubt: str) -> None:
    assert sets.doubt(0, (p,), 0.5) == doubt


def test_the_operating_point_has_to_say_the_same() -> None:
    assert APART.doubt(0, (0.15,), 0.1) == DISAGREE
    assert APART.doubt(0, (0.8,), 0.9) == DISAGREE


def test_the_band_of_a_finding_holds_the_threshold() -> None:
    assert APART.band(0, 0.5) == (0.2, 0.7)
    assert OVERLAP.band(0, 0.5) == (0.3, 0.6)
    assert APART.band(0, 0.8) == (0.2, 0.8)
    assert PredictionSets(0.9, "findings", (0.5,), (0.5,)).band(0, 0.5) is None


def test_values_of_json_are_read_back() -> None:
    values = {"confidence": 0.9, "answers": "findings", "lowest": [0.7], "highest": [0.2]}
    assert PredictionSets.from_dict(values) == APART
