"""Make the demonstration model: draw phantoms, train, export, calibrate, evaluate, write the card.

``python -m training.demo --out DIR`` leaves the bundle in ``DIR/bundle``.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import keras
from rich.console import Console

from pacs_ai.demo.phantom import read_labels
from pacs_ai.model.bundle import CARD, load_bundle
from pacs_ai.model.predict import Classifier

from .config import Recipe, load_recipe
from .config_data import PhantomData
from .dataset import ImageSet, check_disjoint, draw_split, load_images
from .demo_card import model_card
from .demo_export import export
from .demo_figures import by_study, calibrate, classify_collection, figures
from .train import make_deterministic, train

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_PROBES = 64


def make_bundle(recipe: Recipe, out: Path, console: Console) -> Path:
    """Follow a recipe from drawing to bundle.

    Parameters
    ----------
    recipe
        What to do.
    out
        Where phantoms (``data``), history, figures and ``bundle`` go. Phantoms that are there
        already are used.
    console
        Where progress is shown.

    Returns
    -------
    Path
        The bundle.
    """
    data = recipe.data
    assert isinstance(data, PhantomData)  # noqa: S101 - until the pipeline takes any
    counts = (data.train_studies, data.validation_studies, data.test_studies)
    folders = {name: out / "data" / name for name in (TRAIN, VALIDATION, TEST)}
    for index, (name, folder) in enumerate(folders.items()):
        console.print(f"drawing {counts[index]} studies: {name}")
        draw_split(folder, counts[index], data.seed, index)
    check_disjoint({name: read_labels(folder) for name, folder in folders.items()})
    make_deterministic(recipe.optimisation.seed, recipe.optimisation.threads)
    console.print("reading")
    learning = load_images(folders[TRAIN], recipe.input)
    held_out = load_images(folders[VALIDATION], recipe.input)
    console.print(f"training on {learning.y.size} images")
    network = train(recipe, learning, held_out, out)
    return release(recipe, network, held_out, folders, out)


def release(
    recipe: Recipe, network: keras.Model, held_out: ImageSet, folders: dict[str, Path], out: Path
) -> Path:
    """Export a network, choose temperature and threshold on validation, evaluate on test."""
    positive = next(index for index, entry in enumerate(recipe.classes) if entry.positive)
    bundle, probe = out / "bundle", held_out.x[:_PROBES]
    export(network, recipe, bundle, probe)
    raw = classify_collection(Classifier.load(load_bundle(bundle)), folders[VALIDATION], positive)
    temperature, threshold = calibrate(raw)
    difference = export(
        network, recipe, bundle, probe, temperature=temperature, threshold=threshold
    )
    classifier = Classifier.load(load_bundle(bundle))
    cases = classify_collection(classifier, folders[TEST], positive)
    threshold = classifier.identity.classes[positive].threshold
    found = {"study": figures(by_study(cases), threshold), "image": figures(cases, threshold)}
    card = model_card(
        recipe,
        temperature=temperature,
        threshold=threshold,
        parameters=network.count_params(),
        difference=difference,
        studies=found["study"],
        images=found["image"],
    )
    (bundle / CARD).write_text(card, encoding="utf-8")
    report = {
        unit: {name: asdict(group) for name, group in groups.items()}
        for unit, groups in found.items()
    }
    (out / "figures.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return bundle


def main() -> None:
    """Read the command line and make the bundle."""
    parser = argparse.ArgumentParser(prog="python -m training.demo", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for data and bundle")
    parser.add_argument("--recipe", default="demo", help="name or path of a recipe")
    options = parser.parse_args()
    console = Console()
    bundle = make_bundle(load_recipe(options.recipe), options.out, console)
    console.print((bundle / CARD).read_text(encoding="utf-8"), markup=False)


if __name__ == "__main__":
    main()
