"""Temperature and thresholds from the validation split, and the gain by the temperature."""

from dataclasses import replace

from pacs_ai.statistics.cases import Question
from pacs_ai.statistics.figures import draw_figures, tabulate
from pacs_ai.statistics.metrics import Floats, Truths
from training.evaluate.cases import Scores, by_image, by_study
from training.evaluate.results import jsonable, units_of
from training.recipe.evaluation import Evaluation
from training.statistics.calibration import Calibration, choose_operating_points


def calibrate(scores: Scores, question: Question, config: Evaluation) -> Calibration:
    """Choose temperature (on images) and thresholds (on studies) on the validation split."""
    undecided = (0.5,) * len(question.classes)

    def to_studies(temperature: float) -> tuple[Floats, Truths]:
        studies = by_study(scores, question, Calibration(temperature, undecided))
        return studies.probabilities, studies.truth

    several = len(units_of(scores)) > 1
    return choose_operating_points(
        scores.logits[: scores.labelled],
        scores.truth[: scores.labelled],
        question.activation,
        question.positive,
        config,
        to_studies if several else None,
    )


def calibration_gain(
    validation_scores: Scores, question: Question, calibration: Calibration, config: Evaluation
) -> dict[str, object]:
    """Compare loss and calibration error on validation without and with the temperature."""
    found = {}
    for name, temperature in (("before", 1.0), ("after", calibration.temperature)):
        cases = by_image(validation_scores, question, replace(calibration, temperature=temperature))
        overall = tabulate(cases, draw_figures(cases, config)).overall
        found[name] = {key: jsonable(overall[key]) for key in ("loss", "calibration_error")}
    return found | {"images": validation_scores.labelled}
