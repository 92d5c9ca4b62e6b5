"""Write the files of an evaluation: figures, the worst errors, and the report of both."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write
from training.data.samples import Sample
from training.evaluate.cases import Cases, Question, Scores
from training.evaluate.network import Classifier
from training.evaluate.results import IMAGE, STUDY, jsonable
from training.evaluate.worst import draw_errors, worst_errors
from training.recipe.recipe import Recipe
from training.report.evaluation_page import write_report
from training.report.pictures import png
from training.run.run import Run
from training.statistics.calibration import Calibration

FORMAT = 1
FIGURES, ERRORS, CALIBRATION = "figures.json", "errors", "calibration.json"
IMAGES = "images.csv"


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
        If the run is not evaluated yet.
    """
    try:
        found = json.loads((run.evaluation / CALIBRATION).read_text(encoding="utf-8"))
        return Calibration.from_dict(found)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"the run in {run.folder} is not evaluated on its own test split yet: "
            f"pacs-ai evaluate {run.folder}"
        ) from error


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
            "images": len(scores.images),
            "studies": len(set(scores.units)),
            "patients": len(set(scores.patients)),
            "notes": list(notes),
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


def publish(
    folder: Path,
    figures: dict[str, object],
    images: Cases,
    samples: Sequence[Sample],
    network: Classifier,
    recipe: Recipe,
) -> None:
    """Write ``figures.json``, ``images.csv``, ``errors/KEY.png`` and ``report.html``.

    Parameters
    ----------
    folder
        The folder of the evaluation.
    figures
        The results; ``errors`` are added.
    images
        The evaluated images, to find the worst errors.
    samples
        The samples of these images, in the same order.
    network
        Computes the heat maps of the errors.
    recipe
        Has the number of errors, and the input of the network.
    """
    errors = worst_errors(images, recipe.evaluation.worst)
    figures["errors"] = [jsonable(error) for _, error in errors]
    pictures = draw_errors(errors, samples, network, recipe.input)
    (folder / ERRORS).mkdir(exist_ok=True)
    for old in (folder / ERRORS).glob("*.png"):
        old.unlink()
    for key, picture in pictures.items():
        atomic_write(folder / ERRORS / f"{key}.png", png(picture))
    atomic_write(folder / IMAGES, _images_csv(images, samples))
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
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def as_json(values: object) -> str:
    """Write values as JSON; the same values give the same text."""
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
