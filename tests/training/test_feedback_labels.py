"""Labels that `pacs-ai feedback export` writes are labels of a recipe as they stand."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.errors import DataError
from pacs_ai.feedback_kinds import Label
from pacs_ai.flow.feedback.training_labels import StudyLabels, as_csv
from pacs_ai.phantom import LABELS_FILE
from tests.training.test_build_dicom import CONSOLE, recipe_of, tree
from tests.training.test_build_dicom import collection as collection  # noqa: PLC0414 - a fixture
from tests.training.test_picture_files import sigmoid
from training.data.build import build
from training.data.read import multi_hot
from training.data.samples import SPLITS, Dataset, Sample
from training.learn.losses import MaskedCrossentropy, class_loss
from training.recipe.label_tables import LabelFile, TableLabels
from training.recipe.recipe import Recipe

pytestmark = pytest.mark.train
LABELS = (Label.ABSENT, Label.PRESENT, Label.UNCERTAIN)


@pytest.fixture
def said(collection: Path, tmp_path: Path) -> tuple[Path, dict[str, tuple[Label, Label]]]:
    """The file, and what it says of each study: absent, present, uncertain in turns."""
    with (collection / LABELS_FILE).open() as file:
        studies = sorted({row["study"] for row in csv.DictReader(file)})
    labels = {uid: (LABELS[i % 3], LABELS[i // 3 % 2]) for i, uid in enumerate(studies)}
    path = tmp_path / "labels.csv"
    path.write_text(
        as_csv(
            StudyLabels(uid, {"lesion": one, "no finding": other})
            for uid, (one, other) in labels.items()
        )
    )
    return path, labels


def table_of(path: Path, **more: object) -> TableLabels:
    settings = {
        "kind": "table",
        "files": (LabelFile(file=path),),
        "key": "StudyUID",
        "key_column": "StudyInstanceUID",
        "label_columns": ("no finding", "lesion"),
    }
    return TableLabels(**{**settings, **more})  # type: ignore[arg-type]


def samples(dataset: Dataset) -> list[Sample]:
    return [sample for name in SPLITS for sample in dataset.split(name)]


@pytest.mark.parametrize("uncertain", ["mask", "negative", "positive", "drop"])
def test_every_study_has_the_labels_that_users_gave(
    collection: Path,
    demo_recipe: Recipe,
    said: tuple[Path, dict[str, tuple[Label, Label]]],
    uncertain: str,
) -> None:
    path, labels = said
    data = tree(collection, labels=table_of(path, uncertain=uncertain), names={})
    recipe = recipe_of(sigmoid(demo_recipe), data)
    dataset = build(recipe, CONSOLE).dataset
    found = samples(dataset)
    value = {Label.ABSENT: 0.0, Label.PRESENT: 1.0}
    value[Label.UNCERTAIN] = {"mask": -1.0, "negative": 0.0, "positive": 1.0, "drop": np.nan}[
        uncertain
    ]
    for sample, target in zip(found, multi_hot(found, 2), strict=True):
        lesion, none = labels[sample.study]
        assert tuple(target) == (value[none], value[lesion])
    missing = {uid for uid, (one, _) in labels.items() if one is Label.UNCERTAIN}
    seen = {sample.study for sample in found}
    if uncertain == "drop":
        assert seen == labels.keys() - missing
        assert f"{len(missing)} rows left out, they have an uncertain label" in dataset.notes
    masked = isinstance(class_loss(recipe), MaskedCrossentropy)
    assert masked == (uncertain == "mask")


def test_softmax_says_what_to_do_about_uncertain_labels(
    collection: Path, demo_recipe: Recipe, said: tuple[Path, dict[str, tuple[Label, Label]]]
) -> None:
    data = tree(collection, labels=table_of(said[0]), names={})
    with pytest.raises(DataError, match="drop"):
        build(recipe_of(demo_recipe, data), CONSOLE)


def test_a_value_that_is_no_label_is_refused(
    collection: Path, demo_recipe: Recipe, said: tuple[Path, dict[str, tuple[Label, Label]]]
) -> None:
    path, _ = said
    path.write_text(path.read_text().replace("-1", "2"))
    data = tree(collection, labels=table_of(path), names={})
    with pytest.raises(DataError, match="none of 1, 0"):
        build(recipe_of(sigmoid(demo_recipe), data), CONSOLE)
