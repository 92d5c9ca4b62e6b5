"""Write the reference of a bundle: how the validation images look to the network that is served."""

from collections import defaultdict
from functools import partial
from pathlib import Path

from pacs_ai.dicom.pixels import decode_frame, render_frame
from pacs_ai.domain import ModelIdentity
from pacs_ai.errors import DataError
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.input_statistics import input_statistics, rank, score_statistics
from pacs_ai.model.network import Floats
from pacs_ai.model.predict import activate
from pacs_ai.model.preprocess import preprocess
from pacs_ai.model.reference import ANY, FEWEST, MOST, REFERENCE, encode_reference
from pacs_ai.model.runtime import Runtime
from pacs_ai.model.spec import InputSpec
from training.data.picture_file import PICTURES
from training.data.pool import parallel_map
from training.data.read import read_input
from training.data.samples import Dataset, Sample
from training.evaluate.served import shown_images
from training.recipe.recipe import Recipe

_Read = tuple[Floats, dict[str, float]]


def write_reference(folder: Path, dataset: Dataset, recipe: Recipe) -> bool:
    """Measure one image of each validation patient, and write ``reference.json``.

    Which image it is, is drawn from those that the node would show of the patient's studies, as
    the node draws one of each study.

    Parameters
    ----------
    folder
        A bundle that can be loaded.
    dataset
        Its validation split is measured.
    recipe
        Has the input of the network.

    Returns
    -------
    bool
        False if there are too few patients for a comparison; then there is no file.
    """
    bundle = load_bundle(folder)
    runtime, measured = Runtime(bundle), []
    drawn = _drawn(dataset, recipe)
    read = parallel_map(partial(_read, spec=recipe.input), drawn, recipe.feeding.workers)
    for sample, found in zip(drawn, read, strict=True):
        if found is None:
            continue
        x, values = found
        scores = _scores(runtime, x, bundle.identity, bundle.temperature)
        measured.append((_modality(sample), values | scores))
    if len(measured) < FEWEST:
        return False
    (folder / REFERENCE).write_bytes(encode_reference(bundle.identity.sha256, measured))
    return True


def _drawn(dataset: Dataset, recipe: Recipe) -> list[Sample]:
    """Draw some patients of each modality, and one image of each."""
    patients: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in dataset.validation:
        patients[_modality(sample), sample.patient].append(sample)
    by_modality: dict[str, list[list[Sample]]] = defaultdict(list)
    for modality, patient in sorted(patients, key=lambda key: rank(key[1])):
        if len(by_modality[modality]) < MOST:
            by_modality[modality].append(patients[modality, patient])
    chosen = [sample for group in by_modality.values() for one in group for sample in one]
    shown = shown_images(chosen, dataset.studies, recipe)
    images: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in shown:
        images[_modality(sample), sample.patient].append(sample)
    return [min(some, key=lambda one: rank(_name(one))) for some in images.values()]


def _modality(sample: Sample) -> str:
    return ANY if _is_picture(sample) else sample.groups.get("modality", ANY)


def _is_picture(sample: Sample) -> bool:
    return sample.path.suffix.lower() in PICTURES


def _name(sample: Sample) -> str:
    return f"{sample.instance or sample.path.as_posix()}#{sample.frame + 1}"


def _read(sample: Sample, spec: InputSpec) -> _Read | None:
    """Read and measure an image as the node does; None if it cannot be read."""
    try:
        if _is_picture(sample) or sample.crop is not None:
            x = read_input(sample, spec)[None]
            return x, input_statistics(x)
        decoded = decode_frame(sample.path, sample.frame + 1)
        shown = render_frame(decoded, spec.windows, full_range=spec.full_range)
        x = preprocess(shown.rows, spec)
        return x, input_statistics(x, decoded.values)
    except DataError:
        return None


def _scores(
    runtime: Runtime, x: Floats, identity: ModelIdentity, temperature: float
) -> dict[str, float]:
    logits, _ = runtime.predict(x)
    chances = activate(logits[0], identity.activation, temperature)
    return score_statistics(identity.classes, tuple(float(one) for one in chances))
