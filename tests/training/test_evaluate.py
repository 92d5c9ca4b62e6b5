"""Evaluation, on squares: figures that can be counted, and nothing learnt from the test."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.domain import ImagePrediction, InstanceHeader
from pacs_ai.errors import DataError
from pacs_ai.model import predict
from pacs_ai.model.bundle import load_bundle
from pacs_ai.statistics.cases import Question
from tests.training.toys import as_test, toy_samples, toy_world, with_votes
from training.evaluate import evaluate, evaluate_other
from training.evaluate.agreement import agreement
from training.evaluate.baseline import BrightnessModel
from training.evaluate.cases import Scores, by_image, by_study, rule_of
from training.evaluate.internal import TEST_SCORES
from training.statistics.calibration import Calibration

pytestmark = pytest.mark.train

BINARY = ("empty", "bright")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    run, recipe, dataset, network = toy_world(tmp_path_factory.mktemp("world"), BINARY)
    return run, recipe, dataset, network, evaluate(run, recipe, dataset, network)


def test_the_figures_are_those_that_can_be_counted(world) -> None:
    _, _, dataset, _, judged = world
    image, study = (judged.figures["units"][unit] for unit in ("image", "study"))
    assert image["all"]["cases"] == len(dataset.test) == 72
    assert study["all"]["cases"] == study["all"]["patients"] == 36
    (right_no, alarms), (missed, hits) = image["confusion"]
    assert right_no + alarms == image["all"]["positives"][0]
    overall = image["all"]["overall"]
    assert overall["sensitivity"]["value"] == pytest.approx(hits / (hits + missed), abs=1e-5)
    assert overall["accuracy"]["value"] == pytest.approx((right_no + hits) / 72, abs=1e-5)
    assert missed > 0, "faint squares have to be missed, else nothing is tested"
    for figures in (image, study):
        for name, found in figures["all"]["overall"].items():
            assert found["low"] <= found["value"] <= found["high"] or name == "calibration_error"
    # A study is found if one of its two images is.
    assert study["all"]["overall"]["sensitivity"]["value"] > overall["sensitivity"]["value"]


def test_subgroups_baselines_and_curves_are_there(world) -> None:
    figures = world[-1].figures["units"]["image"]
    assert list(figures["subgroups"]) == ["maker", "sex"]
    cases = [table["cases"] for table in figures["subgroups"]["maker"].values()]
    assert sum(cases) == 72
    assert set(figures["baselines"]) == {"prevalence", "brightness"}
    assert figures["baselines"]["prevalence"]["overall"]["auc"]["value"] == 0.5
    gain = figures["baselines"]["prevalence"]["advantage"]["auc"]
    assert gain["low"] > 0.2
    curve = figures["curves"]["bright"]
    assert curve["roc"][0] == [0.0, 0.0]
    assert curve["roc"][-1] == [1.0, 1.0]
    assert sum(n for _, _, n in curve["reliability"]) == 72


def test_nothing_is_chosen_on_the_test_split(world, tmp_path: Path) -> None:
    _, recipe, dataset, network, judged = world
    run, *_ = toy_world(tmp_path, BINARY)
    wrong = tuple(replace(s, labels=(1 - s.labels[0],), box=None) for s in dataset.test)
    other = evaluate(run, recipe, replace(dataset, test=wrong), network)
    assert other.calibration == judged.calibration
    assert (
        other.summary()["figures"]["auc"]["value"]
        < 0.5
        < judged.summary()["figures"]["auc"]["value"]
    )


def test_the_report_needs_no_network_and_repeats_byte_for_byte(world) -> None:
    run, recipe, dataset, network, _ = world
    written = {p: p.read_bytes() for p in run.evaluation.rglob("*") if p.is_file()}
    evaluate(run, recipe, dataset, network)
    again = {p: p.read_bytes() for p in run.evaluation.rglob("*") if p.is_file()}
    named = {p.relative_to(run.evaluation).as_posix() for p in written}
    assert {"report.html", "figures.json", "calibration.json", TEST_SCORES} <= named
    for path, content in written.items():
        assert content == again[path] or path.suffix == ".npz", path
    page = (run.evaluation / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=\"(?!data:|#)|url\((?!#)|<script|@import|https?://", page)
    assert "1 file &lt;left out&gt;" in page
    assert page.count("data:image/png") == recipe.evaluation.worst
    for sample in dataset.test:
        assert sample.patient not in page
        assert str(sample.path) not in page


def test_errors_are_the_surest_and_show_box_and_heat(world) -> None:
    run, _, _, _, judged = world
    errors = judged.figures["errors"]
    probabilities = [error["probability"] for error in errors]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(error["true"] != error["said"] for error in errors)
    assert sorted(p.stem for p in (run.evaluation / "errors").iterdir()) == sorted(
        error["image"] for error in errors
    )


def test_scores_survive_the_disk(world, tmp_path: Path) -> None:
    run = world[0]
    scores = Scores.load(run.evaluation / TEST_SCORES)
    scores.save(tmp_path / "copy.npz")
    copy = Scores.load(tmp_path / "copy.npz")
    assert copy.groups == scores.groups
    assert copy.images == scores.images
    assert np.array_equal(copy.logits, scores.logits)
    (tmp_path / "copy.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(DataError, match="evaluate the run again"):
        Scores.load(tmp_path / "copy.npz")


def test_an_empty_split_is_named(world, tmp_path: Path) -> None:
    _, recipe, dataset, network, _ = world
    run, *_ = toy_world(tmp_path, BINARY)
    with pytest.raises(DataError, match="test split is empty"):
        evaluate(run, recipe, replace(dataset, test=()), network)


@pytest.mark.parametrize(
    ("names", "activation"),
    [
        (("empty", "bright", "dark"), "softmax"),
        (("bright", "dark"), "sigmoid"),
        (("bright",), "sigmoid"),
    ],
)
def test_every_kind_of_head_is_judged(names, activation: str, tmp_path: Path) -> None:
    run, recipe, dataset, network = toy_world(tmp_path, names, activation)
    judged = evaluate(run, recipe, dataset, network)
    overall = judged.summary()["figures"]
    assert overall["auc"]["value"] > 0.8
    assert len(judged.calibration.thresholds) == len(names)
    confusion = judged.figures["units"]["image"]["confusion"]
    assert len(confusion) == len(names)
    if activation == "sigmoid":
        assert all(np.sum(table) == 72 for table in confusion.values())


def test_one_class_alone_gives_no_figure_and_no_crash(world, tmp_path: Path) -> None:
    _, recipe, dataset, network, _ = world
    run, *_ = toy_world(tmp_path, BINARY)
    empty = tuple(s for s in dataset.test if s.labels == (0,))
    judged = evaluate(run, recipe, replace(dataset, test=empty), network)
    overall = judged.summary()["figures"]
    assert overall["auc"] == {"value": None, "low": None, "high": None}
    assert overall["specificity"]["value"] is not None
    assert "not defined" in (run.evaluation / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("raters", [2, 3])
def test_annotators_agree_as_far_as_they_do(raters: int, tmp_path: Path) -> None:
    run, recipe, dataset, network = toy_world(tmp_path)
    voted = replace(dataset, test=with_votes(dataset.test, raters))
    found = evaluate(run, recipe, voted, network).figures["agreement"]
    assert found["raters"] == raters
    assert 0.6 < found["annotators"]["value"] < 1.0
    assert len(found["model"]) == raters
    assert "Agreement of the annotators" in (run.evaluation / "report.html").read_text()


def test_without_votes_there_is_no_agreement(world) -> None:
    run, _, _, _, judged = world
    assert judged.figures["agreement"] is None
    scores = Scores.load(run.evaluation / TEST_SCORES)
    question = Question(BINARY, (False, True), "softmax", "max")
    assert agreement(scores, by_image(scores, question, judged.calibration), 100) is None


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("rule", ["max", "mean", "top-2-mean", "noisy-or"])
def test_studies_are_put_together_as_the_node_does(activation: str, rule: str) -> None:
    identity = replace(load_bundle("demo").identity, activation=activation, aggregation=rule)
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet([1, 1], 5)
    header = InstanceHeader.__new__(InstanceHeader)
    images = [
        ImagePrediction(header, 1, tuple(row.tolist()), np.zeros((2, 1, 1), np.float32))
        for row in probabilities
    ]
    wanted = predict.aggregate(images, identity).probabilities
    question = Question(BINARY, (False, True), activation, rule)
    assert rule_of(question).combine(probabilities).tolist() == list(wanted)


def test_the_truth_of_a_study_is_its_commonest_finding() -> None:
    question = Question(("none", "a", "b"), (False, True, True), "softmax", "max")
    truth = np.eye(3, dtype=bool)[[0, 0, 0, 2, 2, 1, 0, 0]]
    scores = Scores(
        tuple("abcdefgh"),
        ("p",) * 8,
        ("s",) * 6 + ("t",) * 2,
        np.zeros((8, 3)),
        truth,
        {},
        np.full((8, 0), -1),
    )
    studies = by_study(scores, question, Calibration(1.0, (0.5,) * 3))
    assert studies.true_classes.tolist() == [2, 0]
    assert studies.truth.tolist() == [[False, True, True], [True, False, False]]
    several = replace(question, activation="sigmoid")
    studies = by_study(scores, several, Calibration(1.0, (0.5,) * 3))
    assert studies.truth.tolist() == [[False, True, True], [True, False, False]]


def test_brightness_finds_what_is_bright() -> None:
    rng = np.random.default_rng(2)
    numbers = rng.normal(size=(300, 3))
    second = numbers[:, 0] + 0.3 * rng.normal(size=300) > 0
    for truth, activation in (
        (np.stack([~second, second], 1), "softmax"),
        (second[:, None], "sigmoid"),
    ):
        model = BrightnessModel(numbers, truth, activation)
        said = model.logits(numbers)
        right = (said[:, -1] > (said[:, 0] if activation == "softmax" else 0)) == second
        assert right.mean() > 0.85


def test_figures_json_is_strict_json(world) -> None:
    run = world[0]

    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads((run.evaluation / "figures.json").read_text(), parse_constant=refuse)


def test_other_data_show_the_drop(world) -> None:
    run, recipe, _, network, judged = world
    noisy = toy_samples(run.folder / "elsewhere", 60, seed=9, names=BINARY, noise=400)
    other = evaluate_other(run, recipe, as_test(noisy), network, "elsewhere")
    assert other.calibration == judged.calibration
    found = other.figures["drop"]["image"]["auc"]
    here = judged.figures["units"]["image"]["all"]["overall"]["auc"]["value"]
    assert found["internal"]["value"] == here
    assert found["difference"]["value"] == pytest.approx(
        found["external"]["value"] - here, abs=1e-4
    )
    assert found["difference"]["high"] < 0
    page = (run.evaluation / "elsewhere" / "report.html").read_text(encoding="utf-8")
    assert "Compared with the internal test" in page


def test_uncertain_labels_of_other_data_are_no_negatives(world) -> None:
    run, recipe, _, network, _ = world
    samples = toy_samples(run.folder / "more", 40, seed=8, names=BINARY)
    open_ones = tuple(
        replace(s, labels=(), uncertain=(0,)) if i % 8 == 1 else s for i, s in enumerate(samples)
    )
    other = evaluate_other(run, recipe, as_test(open_ones, BINARY), network, "more")
    known = evaluate_other(
        run, recipe, as_test(tuple(s for s in open_ones if s.labels), BINARY), network, "known"
    )
    assert other.figures["set"]["images"] == 35
    assert "5 images of test have an uncertain label" in str(other.figures["set"]["notes"])
    assert other.figures["units"] == known.figures["units"]


def test_other_data_need_an_evaluated_run(tmp_path: Path) -> None:
    run, recipe, dataset, network = toy_world(tmp_path, BINARY)
    with pytest.raises(DataError, match="pacs-ai evaluate"):
        evaluate_other(run, recipe, dataset, network, "x")
    with pytest.raises(DataError, match="no sample"):
        evaluate_other(run, recipe, as_test(()), network, "x")
