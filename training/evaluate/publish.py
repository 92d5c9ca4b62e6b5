"""Write the files of an evaluation: figures, the worst errors, and the report of both."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write
from pacs_ai.statistics.cases import Cases, Question
from training.data.samples import Sample
from training.evaluate.cases import Scores, by_image, by_study
from training.evaluate.network import Classifier
from training.evaluate.results import IMAGE, STUDY, jsonable, units_of
from training.evaluate.score import unit_key
from training.evaluate.worst import draw_errors, worst_errors
from training.recipe.recipe import Recipe
from training.report.evaluation_page import write_report
from training.report.pictures import png
from training.run.checks import require_fit, step_command
from training.run.provenance import Provenance
from training.run.run import Run
from training.statistics.calibration import Calibration

FORMAT = 1
FIGURES, ERRORS, CALIBRATION = "figures.json", "errors", "calibration.json"
IMAGES, STUDIES = "images.csv", "studies.csv"


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The content of ``figures.json``, and the calibration."""

    figures: Mapping[str, object]
    calibration: Calibration

    def summary(self) -> dict[str, object]:
        """Return the overall figures: of studies if a study has several images, else of images."""
        units = self.figures["units"]
        assert isinstance(units, Mapping)  # noqa: S101 - `evaluate_scores` made it
        unit = STUDY if STUDY in units else IMAGE
        return {"unit": unit, "figures": units[unit]["all"]["overall"]}


def question_of(recipe: Recipe) -> Question:
    """Return the classification task of a recipe."""
    return Question(
        classes=tuple(entry.name for entry in recipe.classes),
        positive=tuple(entry.positive for entry in recipe.classes),
        activation=recipe.release.activation,
        aggregation=recipe.release.aggregation,
    )


def calibration_of(run: Run) -> Calibration:
    """Read the temperature and thresholds of a run.

    Raises
    ------
    DataError
        If the run is not evaluated yet, or with another network, split or recipe.
    """
    try:
        found = json.loads((run.evaluation / CALIBRATION).read_text(encoding="utf-8"))
        calibration = Calibration.from_dict(found)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"the run in {run.folder} is not evaluated on its own test split yet: "
            f"{step_command(run, 'evaluate')}"
        ) from error
    require_fit(run, "evaluate", Provenance.read(found), f"the calibration of {run.folder}")
    return calibration


def headline(
    recipe: Recipe, calibration: Calibration, scores: Scores, name: str, notes: Sequence[str]
) -> dict[str, object]:
    """Describe the evaluation: model, data, task, operating point and settings."""
    question, config = question_of(recipe), recipe.evaluation
    return {
        "format": FORMAT,
        "model": {"name": recipe.release.name, "version": recipe.release.version},
        "set": {
            "name": name,
            "images": scores.labelled,
            "studies": len(set(scores.units)),
            "patients": len(set(scores.patients)),
            "notes": [*notes, *_served_notes(scores)],
        },
        "question": {
            "classes": list(question.classes),
            "positive": list(question.positive),
            "activation": question.activation,
            "aggregation": question.aggregation,
            "images": recipe.input.images,
            "binary": question.binary,
        },
        "operating_point": {
            "rule": config.operating_point,
            "target": config.target,
            "temperature": calibration.temperature,
            "thresholds": list(calibration.thresholds),
        },
        "settings": {
            "resamples": config.resamples,
            "bins": config.bins,
            "smallest_group": config.smallest_group,
        },
    }


def _served_notes(scores: Scores) -> Iterator[str]:
    """Say in what the images of the studies differ from those with labels."""
    if scores.added:
        yield f"{scores.added} images without a label that the node shows count for their studies"
    unseen = 0 if scores.places is None else int((scores.places < 0).sum())
    if unseen:
        yield f"{unseen} images that the node does not show to the model count as images only"
    if scores.unanswered:
        yield (
            f"{scores.unanswered} studies of which the node shows the model no image are left out "
            "of the figures by study"
        )


def publish(
    folder: Path,
    figures: dict[str, object],
    scores: Scores,
    samples: Sequence[Sample],
    network: Classifier,
    recipe: Recipe,
    *,
    calibration: Calibration,
) -> None:
    """Write ``figures.json``, ``images.csv``, ``errors/KEY.png`` and ``report.html``.

    ``studies.csv`` is written where studies are evaluated.

    Parameters
    ----------
    folder
        The folder of the evaluation.
    figures
        The results; ``errors`` are added.
    scores
        Those of the images.
    samples
        The samples of the images with labels, in the same order.
    network
        Computes the heat maps of the errors.
    recipe
        Has the number of errors, and the input of the network.
    calibration
        The temperature and the thresholds.
    """
    question = question_of(recipe)
    images = by_image(scores, question, calibration)
    errors = worst_errors(images, recipe.evaluation.worst)
    figures["errors"] = [jsonable(error) for _, error in errors]
    pictures = draw_errors(errors, samples, network, recipe.input)
    (folder / ERRORS).mkdir(exist_ok=True)
    for old in (folder / ERRORS).glob("*.png"):
        old.unlink()
    for key, picture in pictures.items():
        atomic_write(folder / ERRORS / f"{key}.png", png(picture))
    atomic_write(folder / IMAGES, _images_csv(images, samples))
    if STUDY in units_of(scores):
        studies = by_study(scores, question, calibration)
        atomic_write(folder / STUDIES, _studies_csv(studies, samples))
    atomic_write(folder / FIGURES, as_json(figures))
    write_report(folder)


def _images_csv(images: Cases, samples: Sequence[Sample]) -> str:
    """List each image by its key, with its labels and probabilities."""
    names = images.question.classes
    head = ["image", "patient", "instance or file", "frame", "true"]
    rows = [head + [f"probability of {name}" for name in names]]
    for i, sample in enumerate(samples):
        true = " ".join(names[k] for k in sample.labels)
        known = sample.instance or sample.path.name
        row = [images.keys[i], images.patients[i], known, str(sample.frame), true]
        rows.append(row + [f"{probability:.6g}" for probability in images.probabilities[i]])
    return _csv(rows)


def _studies_csv(studies: Cases, samples: Sequence[Sample]) -> str:
    """List each study by its key, with its labels and the probabilities that the node gives it."""
    names = studies.question.classes
    uids = {unit_key(sample): sample.study for sample in samples}
    head = ["study", "patient", "study instance UID", "true"]
    rows = [head + [f"probability of {name}" for name in names]]
    for i, key in enumerate(studies.keys):
        true = " ".join(names[k] for k in studies.truth[i].nonzero()[0])
        row = [key, studies.patients[i], uids.get(key, ""), true]
        rows.append(row + [f"{probability:.6g}" for probability in studies.probabilities[i]])
    return _csv(rows)


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def as_json(values: object) -> str:
    """Write values as JSON; the same values give the same text."""
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
