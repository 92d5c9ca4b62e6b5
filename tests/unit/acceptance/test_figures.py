"""The figures of an acceptance test beside those of scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve

from pacs_ai.acceptance.figures import cases_of, figures_of, inputs_of
from pacs_ai.acceptance.limits import Limits
from pacs_ai.domain import ModelIdentity
from pacs_ai.model.bundle import ModelBundle, load_bundle
from tests.unit.acceptance.made import judged, model

EXACT = {"rel": 0, "abs": 1e-9}


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    return load_bundle("demo")


@pytest.fixture(scope="module")
def found(bundle: ModelBundle) -> dict:
    return figures_of(judged(), bundle, model(), Limits(resamples=200))


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cases = cases_of(judged(), model())
    return cases.truth[:, 1], cases.probabilities[:, 1], cases.decisions[:, 1]


def test_figures_are_those_of_scikit_learn(found: dict, arrays: tuple) -> None:
    truth, chances, present = arrays
    wanted = {
        "auc": oracle.roc_auc_score(truth, chances),
        "average_precision": oracle.average_precision_score(truth, chances),
        "sensitivity": oracle.recall_score(truth, present),
        "specificity": oracle.recall_score(truth, present, pos_label=False),
        "ppv": oracle.precision_score(truth, present),
        "npv": oracle.precision_score(truth, present, pos_label=False),
        "f1": oracle.f1_score(truth, present),
        "mcc": oracle.matthews_corrcoef(truth, present),
    }
    lesion = found["all"]["classes"]["lesion"]
    assert {name: lesion[name]["value"] for name in wanted} == pytest.approx(wanted, **EXACT)
    overall = found["all"]["overall"]
    assert overall["accuracy"]["value"] == pytest.approx(
        oracle.accuracy_score(truth, present), **EXACT
    )
    assert overall["loss"]["value"] == pytest.approx(oracle.log_loss(truth, chances), **EXACT)
    assert found["confusion"]["lesion"] == oracle.confusion_matrix(truth, present).tolist()


def test_curves_are_those_of_scikit_learn(found: dict, arrays: tuple) -> None:
    truth, chances, _ = arrays
    shares, means = calibration_curve(truth, chances, n_bins=10)
    rows = found["curves"]["lesion"]["reliability"]
    assert [row[0] for row in rows] == pytest.approx(list(means), **EXACT)
    assert [row[1] for row in rows] == pytest.approx(list(shares), **EXACT)
    gaps = sum(count * abs(mean - share) for mean, share, count in rows) / truth.size
    error = found["all"]["overall"]["calibration_error"]["value"]
    assert error == pytest.approx(gaps, **EXACT)
    false, true, _ = oracle.roc_curve(truth, chances, drop_intermediate=False)
    points = np.array(found["curves"]["lesion"]["roc"])
    assert np.allclose(points, np.stack([false, true], axis=1), atol=1e-9, rtol=0)


def test_intervals_come_from_patients(bundle: ModelBundle) -> None:
    """Two studies of each patient that are alike tell no more than one of them."""
    single = judged(100, patients=100)
    doubled = [*single, *single]
    once = figures_of(single, bundle, model(), Limits(resamples=400))["all"]["overall"]["auc"]
    twice = figures_of(doubled, bundle, model(), Limits(resamples=400))["all"]["overall"]["auc"]
    assert once == pytest.approx(twice, abs=1e-9)
    assert once["low"] < once["value"] < once["high"]


def test_subgroups_with_enough_patients(bundle: ModelBundle) -> None:
    found = figures_of(judged(), bundle, model(), Limits(resamples=100, smallest_group=10))
    assert set(found["subgroups"]) == {"sex"}  # one scanner: nothing to compare
    counted = {name: table["cases"] for name, table in found["subgroups"]["sex"].items()}
    assert counted == {"male": 67, "female": 133}
    none = figures_of(judged(), bundle, model(), Limits(resamples=100, smallest_group=500))
    assert none["subgroups"] == {}


def test_what_is_not_analysable_is_counted_and_in_no_figure(bundle: ModelBundle) -> None:
    lost = [replace(one, probabilities=(), reason="NO_FITTING_SERIES: no") for one in judged()[:7]]
    rest = judged()[7:]
    found = figures_of([*lost, *rest], bundle, model(), Limits(resamples=100))
    counted = found["studies"]
    assert (counted["all"], counted["analysed"], counted["not_analysable"]) == (200, 193, 7)
    assert counted["reasons"] == {"NO_FITTING_SERIES: no": 7}
    assert sum(counted["not_analysable_with"].values()) == 7
    alone = figures_of(rest, bundle, model(), Limits(resamples=100))
    assert found["all"] == alone["all"]
    nothing = figures_of(lost, bundle, model(), Limits(resamples=100))
    assert nothing["all"] is None


def test_the_card_is_compared(found: dict, bundle: ModelBundle) -> None:
    stated = bundle.read_metrics()["units"]["study"]["all"]["overall"]["auc"]
    auc = found["card"]["auc"]
    assert auc["card"] == stated
    assert auc["worse"] == pytest.approx(stated["value"] - auc["here"]["value"])
    assert auc["apart"]
    loss = found["card"]["calibration_error"]
    assert loss["worse"] == pytest.approx(loss["here"]["value"] - loss["card"]["value"])


def test_a_proposed_operating_point_reaches_its_target(bundle: ModelBundle) -> None:
    rule = {"rule": "sensitivity", "target": 0.9}
    limits = Limits.model_validate({"resamples": 100, "operating_point": rule})
    found = figures_of(judged(), bundle, model(), limits)
    proposed = found["proposed"]["lesion"]
    assert proposed["sensitivity"]["value"] >= 0.9
    assert proposed["now"] == model().classes[1].threshold
    higher = max(c.probabilities[1] for c in judged() if c.probabilities[1] < 0.99)
    assert proposed["threshold"] < higher


def test_sigmoid_with_one_class() -> None:
    one: ModelIdentity = replace(model("sigmoid"), classes=model().classes[1:])
    cut = [
        replace(
            each,
            row=replace(each.row, truth=each.row.truth[1:]),
            probabilities=each.probabilities[1:],
        )
        for each in judged()
    ]
    both = figures_of(judged(), load_bundle("demo"), model(), Limits(resamples=100))
    single = figures_of(cut, load_bundle("demo"), one, Limits(resamples=100))
    for name in ("auc", "sensitivity", "specificity"):
        assert single["all"]["overall"][name] == both["all"]["classes"]["lesion"][name]


def test_every_input_changes_the_digest() -> None:
    first = inputs_of(judged(), {"truth": b"a"})
    assert first == inputs_of(judged(), {"truth": b"a"})
    assert first["all"] != inputs_of(judged(), {"truth": b"b"})["all"]
    assert first["all"] != inputs_of(judged()[1:], {"truth": b"a"})["all"]
