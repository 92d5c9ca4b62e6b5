"""The pipeline: same images, same order, same chance, wherever it is taken up again."""

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.phantom import read_labels
from training.data.feed import feed
from training.data.read import load_images, read_input
from training.data.samples import Sample
from training.data.sampling import batches, steps_per_epoch
from training.data.store import load_store
from training.recipe.data import Augmentation, Feeding
from training.recipe.recipe import Recipe

pytestmark = pytest.mark.train

STILL = Augmentation()
LIVELY = Augmentation(rotation_degrees=20, shift=0.2, zoom=0.1, gamma=0.3, noise=0.05)


@pytest.fixture(scope="module")
def samples(phantoms: Path) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            path=phantoms / row.file,
            patient=row.patient_id,
            labels=(row.label,),
            study=row.study_uid,
            box=None if row.x0 is None else (row.x0, row.y0, row.x1, row.y1),
            groups={"modality": row.modality},
        )
        for row in read_labels(phantoms)
    )


def recipe_with(
    recipe: Recipe, augmentation: Augmentation = STILL, boxes: bool = False, **feeding: object
) -> Recipe:
    optimisation = recipe.optimisation.model_copy(update={"map_weight": 0.5 if boxes else 0.0})
    return recipe.model_copy(
        update={
            "augmentation": augmentation,
            "feeding": Feeding(batch=8, **feeding),
            "optimisation": optimisation,
        }
    )


def taken(dataset: object, count: int) -> list[tuple[np.ndarray, ...]]:
    return [tuple(np.asarray(part) for part in batch) for batch in dataset.take(count)]


def test_unvaried_images_are_bit_for_bit_what_serving_sees(
    samples: tuple[Sample, ...], demo_recipe: Recipe
) -> None:
    recipe = recipe_with(demo_recipe)
    fed = taken(
        feed(load_store(samples, recipe.input, recipe.feeding), recipe, training=False, seed=1), -1
    )
    x, y = (np.concatenate(part) for part in zip(*fed, strict=True))
    assert np.array_equal(x, np.stack([read_input(s, recipe.input) for s in samples]))
    assert np.array_equal(y.argmax(axis=1), [s.labels[0] for s in samples])
    images = load_images(samples, recipe.input, 2)
    assert np.array_equal(images.x, x)
    assert np.array_equal(images.y, y)
    drawn = next(batches(samples, recipe.feeding, seed=1))[1]
    (batch,) = taken(
        feed(load_store(samples, recipe.input, recipe.feeding), recipe, training=True, seed=1), 1
    )
    assert np.array_equal(batch[0], x[drawn])


@pytest.mark.parametrize("boxes", [False, True])
def test_a_stream_goes_on_in_the_middle_of_an_epoch(
    samples: tuple[Sample, ...], demo_recipe: Recipe, boxes: bool
) -> None:
    recipe = recipe_with(demo_recipe, LIVELY, boxes=boxes)
    store = load_store(samples, recipe.input, recipe.feeding)
    steps = steps_per_epoch(len(samples), recipe.feeding)
    whole = list(feed(store, recipe, training=True, seed=3).take(2 * steps))
    rest = list(feed(store, recipe, training=True, seed=3, skip=steps // 2).take(steps))
    for before, after in zip(whole[steps // 2 :], rest, strict=False):
        assert np.array_equal(before[0], after[0])
    assert not np.array_equal(whole[0][0], whole[steps][0])
    other = next(iter(feed(store, recipe, training=True, seed=4)))
    assert not np.array_equal(whole[0][0], other[0])


def test_every_image_comes_once_an_epoch(samples: tuple[Sample, ...]) -> None:
    feeding = Feeding(batch=4)
    steps = steps_per_epoch(len(samples), feeding)
    epoch = np.concatenate([drawn for _, drawn in islice(batches(samples, feeding, 5), steps)])
    assert len(set(epoch)) == len(epoch) == steps * 4


def test_few_images_are_repeated_to_fill_an_epoch(samples: tuple[Sample, ...]) -> None:
    few, feeding = samples[:10], Feeding(batch=4, least_images_per_epoch=40)
    steps = steps_per_epoch(len(few), feeding)
    epoch = np.concatenate([drawn for _, drawn in islice(batches(few, feeding, 5), steps)])
    assert Counter(epoch.tolist()) == dict.fromkeys(range(10), 4)
    assert steps_per_epoch(400, feeding) == 100


def test_an_even_draw_evens_out_label_and_modality(samples: tuple[Sample, ...]) -> None:
    feeding = Feeding(batch=10, images_per_epoch=200, balance="draw", balance_by=("modality",))
    epoch = np.concatenate([drawn for _, drawn in islice(batches(samples, feeding, 5), 20)])
    counts = Counter((samples[i].labels, samples[i].groups["modality"]) for i in epoch)
    assert len(counts) == len({(s.labels, s.groups["modality"]) for s in samples})
    assert max(counts.values()) - min(counts.values()) <= len(counts)


def test_weights_even_out_what_is_rare(samples: tuple[Sample, ...], demo_recipe: Recipe) -> None:
    recipe = recipe_with(demo_recipe, balance="weight")
    total = {0: 0.0, 1: 0.0}
    steps = steps_per_epoch(len(samples), recipe.feeding)
    for x, y, weight in taken(
        feed(load_store(samples, recipe.input, recipe.feeding), recipe, training=True, seed=1),
        40 * steps,
    ):
        assert len(x) == len(weight)
        for label in total:
            total[label] += float(weight[y[:, label] == 1].sum())
    assert total[0] == pytest.approx(total[1], rel=0.1)


def test_a_box_comes_as_second_channel_and_says_so(
    samples: tuple[Sample, ...], demo_recipe: Recipe
) -> None:
    recipe = recipe_with(demo_recipe, boxes=True)
    for x, target in feed(
        load_store(samples, recipe.input, recipe.feeding), recipe, training=False, seed=1
    ):
        assert x.shape[1:] == (128, 128, 2)
        assert np.array_equal(np.asarray(x[..., 1]).max(axis=(1, 2)), target["map"][:, 0])
        assert np.array_equal(target["map"][:, 0], target["class"][:, 1])


def test_a_store_on_disk_gives_the_same_and_is_used_again(
    samples: tuple[Sample, ...], demo_recipe: Recipe, tmp_path: Path
) -> None:
    memory = load_store(samples, demo_recipe.input, Feeding(cache="memory"))
    disk = Feeding(cache="disk")
    named = load_store(samples, demo_recipe.input, disk, tmp_path)
    (file,) = tmp_path.glob("images-*[0-9a-f].npy")
    written = file.stat().st_mtime_ns
    again = load_store(samples, demo_recipe.input, disk, tmp_path)
    unnamed = load_store(samples, demo_recipe.input, disk)
    assert file.stat().st_mtime_ns == written
    for store in (named, again, unnamed):
        assert np.array_equal(store.grey, memory.grey)
        assert np.array_equal(store.boxes, memory.boxes)
    assert not list(tmp_path.glob("*.draft"))
