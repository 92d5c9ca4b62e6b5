"""Write an evaluation down: figures, the worst errors, and the report that shows both."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.errors import DataError
from training.data.samples import Sample
from training.evaluate.cases import Cases, Question, Scores
from training.evaluate.judge import IMAGE, STUDY, plain
from training.evaluate.network import Classifier
from training.evaluate.worst import draw_errors, worst_errors
from training.recipe.recipe import Recipe
from training.report.page import write_report
from training.report.pictures import png
from training.run.disk import write_whole
from training.run.run import Run
from training.statistics.calibration import Calibration

FORMAT = 1
FIGURES, ERRORS, CALIBRATION = "figures.json", "errors", "calibration.json"
IMAGES = "images.csv"


@dataclass(frozen=True, slots=True)
class Judged:
    """What an evaluation found: the content of ``figures.json``, and what validation decided."""

    figures: Mapping[str, object]
    calibration: Calibration

    def summary(self) -> dict[str, object]:
        """Give the overall figures, of studies where they are more than images."""
        units = self.figures["units"]
        assert isinstance(units, Mapping)  # noqa: S101 - `judge` made it
        unit = STUDY if STUDY in units else IMAGE
        return {"unit": unit, "figures": units[unit]["all"]["overall"]}


def question_of(recipe: Recipe) -> Question:
    """Say what a recipe's network is asked."""
    return Question(
        classes=tuple(entry.name for entry in recipe.classes),
        positive=tuple(entry.positive for entry in recipe.classes),
        activation=recipe.release.activation,
        aggregation=recipe.release.aggregation,
    )


def calibration_of(run: Run) -> Calibration:
    """Read what validation decided.

    Raises
    ------
    DataError
        If the run was not evaluated yet.
    """
    try:
        found = json.loads((run.evaluation / CALIBRATION).read_text(encoding="utf-8"))
        return Calibration.from_dict(found)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"the run in {run.folder} was not evaluated on its own test split yet: "
            f"pacs-ai evaluate {run.folder}"
        ) from error


def headline(
    recipe: Recipe, calibration: Calibration, scores: Scores, name: str, notes: Sequence[str]
) -> dict[str, object]:
    """Say what was judged, on what, and how."""
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
        Where to.
    figures
        What was found; gets ``errors``.
    images
        The judged images, for the worst of them.
    samples
        What they stand for, in their order.
    network
        Shows where it looked.
    recipe
        How many errors, and what the network takes.
    """
    errors = worst_errors(images, recipe.evaluation.worst)
    figures["errors"] = [plain(error) for _, error in errors]
    pictures = draw_errors(errors, samples, network, recipe.input)
    (folder / ERRORS).mkdir(exist_ok=True)
    for old in (folder / ERRORS).glob("*.png"):
        old.unlink()
    for key, picture in pictures.items():
        write_whole(folder / ERRORS / f"{key}.png", png(picture))
    write_whole(folder / IMAGES, _images_csv(images, samples))
    write_whole(folder / FIGURES, as_json(figures))
    write_report(folder)


def _images_csv(images: Cases, samples: Sequence[Sample]) -> str:
    """List every image by its key, with what is true of it and what was answered."""
    names = images.question.classes
    head = ["image", "patient", "instance or file", "frame", "true"]
    rows = [head + [f"probability of {name}" for name in names]]
    for i, sample in enumerate(samples):
        true = " ".join(names[k] for k in sample.labels)
        known = sample.instance or sample.path.name
        row = [images.keys[i], images.patients[i], known, str(sample.frame), true]
        rows.append(row + [f"{chance:.6g}" for chance in images.chances[i]])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def as_json(values: object) -> str:
    """Write values as JSON that is the same for the same values."""
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
