"""Agreement of two versions, beside the figures of scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from pacs_ai.comparison.agreement import Case, agreement

NAMES = ["finding"]


def cases(count: int = 60) -> list[Case]:
    rng = np.random.default_rng(7)
    first = rng.random(count)
    second = np.clip(first + rng.normal(0.05, 0.2, count), 0, 1)
    truth = rng.random(count) < 0.5
    return [
        Case(
            number,
            f"r{number}",
            1,
            f"patient {number // 2}",
            {"finding": (float(before), "present" if before > 0.5 else "absent")},
            {"finding": (float(after), "present" if after > 0.5 else "absent")},
            {"finding": bool(truth[number])} if number % 3 else {},
        )
        for number, (before, after) in enumerate(zip(first, second, strict=True))
    ]


def test_figures_are_those_of_another_library() -> None:
    made = cases()
    found = agreement(made, NAMES)["finding"]
    before = np.array([one.first["finding"][0] for one in made])
    after = np.array([one.second["finding"][0] for one in made])
    said = [[one.first["finding"][1], one.second["finding"][1]] for one in made]
    first, second = zip(*said, strict=True)
    assert found["kappa"] == pytest.approx(oracle.cohen_kappa_score(first, second), abs=1e-9)
    assert found["changed"] == sum(old != new for old, new in said) == sum(found["moved"].values())
    assert found["mean_difference"] == pytest.approx((after - before).mean(), abs=1e-12)
    assert found["largest"] == pytest.approx(abs(after - before).max(), abs=1e-12)
    known = [number for number, one in enumerate(made) if one.truth]
    truth = [made[number].truth["finding"] for number in known]
    for key, scores in (("first", before), ("second", after)):
        assert found["auc"][key]["value"] == pytest.approx(
            oracle.roc_auc_score(truth, scores[known]), abs=1e-9
        )
    difference = found["auc"]["difference"]
    assert difference["low"] <= difference["value"] <= difference["high"]


def test_what_is_not_defined_is_left_out() -> None:
    same = [
        Case(1, "r", 1, "p", {"finding": (0.1, "absent")}, {"finding": (0.1, "absent")}),
        Case(2, "r", 1, "p", {"finding": (0.2, "absent")}, {"finding": (0.2, "absent")}),
    ]
    found = agreement(same, NAMES)["finding"]
    assert (found["kappa"], found["changed"], found["auc"]) == (None, 0, {})
    assert agreement([], NAMES) == {}


def test_a_class_that_is_no_finding_has_no_decision() -> None:
    one = Case(1, "r", 1, "p", {"none": (0.1, "")}, {"none": (0.7, "")})
    assert agreement([one], ["none"])["none"]["kappa"] is None
    assert one.changed(["none"]) == []
