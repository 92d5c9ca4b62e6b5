"""One column a class, with 1, 0 and -1 for uncertain; and the loss that leaves -1 out."""

from pathlib import Path

import keras
import numpy as np
import pytest
from rich.console import Console

from pacs_ai.errors import DataError
from tests.training.test_picture_files import sigmoid
from tests.training.test_pictures import labelled, recipe_of, write_rows
from training.data.build import build
from training.data.read import multi_hot
from training.data.samples import SPLITS, Sample
from training.learn.losses import MaskedCrossentropy, class_loss
from training.learn.metrics import AreaUnderCurve, accuracy
from training.recipe.recipe import Recipe

pytestmark = pytest.mark.train
CONSOLE = Console(quiet=True)
VALUES = ("1", "0", "-1", "", "1.0", "-1.0")
LOGITS = np.array([[2.0, -1.0], [0.5, 0.0], [-3.0, 4.0]], dtype=np.float32)
LABELS = np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = []
    for index, row in enumerate(labelled(tmp_path)):
        rows.append(
            {
                "file": row["file"],
                "who": row["who"],
                "lesion": VALUES[index % 6],
                "no finding": str(index % 2),
            }
        )
    write_rows(tmp_path, rows)
    return tmp_path


def samples(recipe: Recipe, folder: Path, **more: object) -> list[Sample]:
    recipe = recipe_of(
        sigmoid(recipe), folder, labels=folder / "labels.csv", patient_column="who", **more
    )
    dataset = build(recipe, CONSOLE).dataset
    assert all(not s.uncertain for s in (*dataset.certain().test, *dataset.certain().validation))
    return [sample for name in SPLITS for sample in dataset.split(name)]


@pytest.mark.parametrize("uncertain", ["mask", "negative", "positive", "drop"])
def test_every_column_is_a_label(folder: Path, demo_recipe: Recipe, uncertain: str) -> None:
    found = samples(demo_recipe, folder, names={}, uncertain=uncertain)
    target = multi_hot(found, 2)
    as_value = {"mask": -1, "negative": 0, "positive": 1}
    for sample, (healthy, lesion) in zip(found, target, strict=True):
        index = int(sample.path.stem)
        assert healthy == index % 2
        value = float(VALUES[index % 6] or 0)
        assert lesion == (as_value[uncertain] if value == -1 else value)
    left_out = sum(VALUES[i % 6].startswith("-1") for i in range(40)) if uncertain == "drop" else 0
    assert len(found) == 40 - left_out


def test_columns_may_be_named_and_wrong_values_are(folder: Path, demo_recipe: Recipe) -> None:
    columns = ("lesion", "no finding")
    assert len(samples(demo_recipe, folder, names={}, label_columns=columns)) == 40
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace(",1.0,", ",2,"))
    with pytest.raises(DataError, match=r"line 6, column 'lesion': '2' is none of 1, 0, -1"):
        samples(demo_recipe, folder, names={})


def test_true_and_false_are_one_and_zero(folder: Path, demo_recipe: Recipe) -> None:
    wanted = multi_hot(samples(demo_recipe, folder, names={}), 2)
    text = (folder / "labels.csv").read_text()
    for value, word in ((",1.0,", ",TRUE,"), (",1,", ",True,"), (",0,", ",false,")):
        assert value in text
        text = text.replace(value, word)
    (folder / "labels.csv").write_text(text)
    assert np.array_equal(multi_hot(samples(demo_recipe, folder, names={}), 2), wanted)


def test_a_masked_loss_is_that_of_the_known_labels() -> None:
    plain = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    masked = MaskedCrossentropy(0.1, 0.0)
    assert float(masked(LABELS, LOGITS)) == pytest.approx(float(plain(LABELS, LOGITS)), rel=1e-6)
    focal = keras.losses.BinaryFocalCrossentropy(gamma=2.0, from_logits=True)
    ours = MaskedCrossentropy(0.0, 2.0)
    assert float(ours(LABELS, LOGITS)) == pytest.approx(float(focal(LABELS, LOGITS)), rel=1e-4)
    uncertain = LABELS.copy()
    uncertain[1, 0] = uncertain[2] = -1
    known = [float(plain(LABELS[:1], LOGITS[:1])), float(plain(LABELS[1:2, 1:], LOGITS[1:2, 1:]))]
    found = masked(uncertain, LOGITS)
    assert float(found) == pytest.approx(sum(known) / 3, rel=1e-6)
    other = LOGITS.copy()
    other[1, 0], other[2] = 9, -9
    assert float(masked(uncertain, other)) == float(found)


def test_metrics_leave_out_what_is_uncertain(folder: Path, demo_recipe: Recipe) -> None:
    recipe = recipe_of(sigmoid(demo_recipe), folder)
    assert isinstance(class_loss(recipe), MaskedCrossentropy)
    uncertain = LABELS.copy()
    uncertain[1, 0] = uncertain[2, 0] = -1
    measured = accuracy(recipe)
    measured.update_state(uncertain, LOGITS)
    assert float(measured.result()) == pytest.approx((1 + 0 + 1) / 3)
    area = AreaUnderCurve(2, "sigmoid")
    area.update_state(uncertain, LOGITS)
    assert float(area.result()) == 1.0


def test_classes_that_exclude_each_other_cannot_be_uncertain(
    folder: Path, demo_recipe: Recipe
) -> None:
    recipe = recipe_of(demo_recipe, folder, labels=folder / "labels.csv", names={})
    with pytest.raises(DataError, match=r'only sigmoid .*uncertain = "drop"'):
        build(recipe, CONSOLE)
