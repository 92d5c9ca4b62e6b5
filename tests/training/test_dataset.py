import shutil
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.demo.phantom import LABELS_FILE, read_labels
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import DataError
from pacs_ai.model.preprocess import preprocess
from training.config import Recipe
from training.dataset import check_disjoint, draw_split, load_images


def test_training_sees_exactly_what_serving_sees(phantoms: Path, demo_recipe: Recipe) -> None:
    images = load_images(phantoms, demo_recipe.input)
    assert len(images.rows) == images.y.size == images.x.shape[0]
    for index in range(0, images.y.size, 5):
        row = images.rows[index]
        served = preprocess(read_pixels(phantoms / row.file), demo_recipe.input)
        assert np.array_equal(images.x[index], served[0])
        assert images.y[index] == row.label


def test_groups_are_modality_and_label(phantoms: Path, demo_recipe: Recipe) -> None:
    images = load_images(phantoms, demo_recipe.input)
    groups = images.groups()
    assert sum(group.size for group in groups) == images.y.size
    for group in groups:
        assert len({(images.rows[i].modality, images.rows[i].label) for i in group}) == 1


def test_splits_share_no_patient(tmp_path: Path) -> None:
    for index in range(2):
        draw_split(tmp_path / str(index), 4, seed=1, index=index)
    rows = {name: read_labels(tmp_path / name) for name in ("0", "1")}
    check_disjoint(rows)
    with pytest.raises(DataError, match="share a patient"):
        check_disjoint({**rows, "again": rows["0"]})


def test_a_split_that_is_there_is_kept(tmp_path: Path) -> None:
    draw_split(tmp_path, 2, seed=1, index=0)
    before = (tmp_path / LABELS_FILE).stat().st_mtime_ns
    draw_split(tmp_path, 2, seed=1, index=0)
    assert (tmp_path / LABELS_FILE).stat().st_mtime_ns == before


def test_a_file_that_cannot_be_read_is_named(
    phantoms: Path, tmp_path: Path, demo_recipe: Recipe
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(phantoms, folder)
    broken = folder / read_labels(folder)[0].file
    broken.write_bytes(broken.read_bytes()[:900])
    with pytest.raises(DataError, match=broken.name):
        load_images(folder, demo_recipe.input)


def test_missing_and_empty_labels_are_named(tmp_path: Path, demo_recipe: Recipe) -> None:
    with pytest.raises(DataError, match=LABELS_FILE):
        load_images(tmp_path, demo_recipe.input)
    (tmp_path / LABELS_FILE).write_text("file,label\n", encoding="utf-8")
    with pytest.raises(DataError, match="no image"):
        load_images(tmp_path, demo_recipe.input)
