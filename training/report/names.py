"""Names of figures for people, and sentences about an evaluation."""

from typing import Any

NAMES = {
    "loss": "loss (nats)",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "average_precision": "average precision",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "positive predictive value",
    "npv": "negative predictive value",
    "f1": "F1",
    "mcc": "MCC",
    "calibration_error": "calibration error",
}
"""Names for people, by figure."""

LOWER_IS_BETTER = frozenset({"loss", "calibration_error"})


def describe_set(figures: dict[str, Any]) -> str:
    """Describe the evaluated data in one sentence."""
    counted = figures["set"]
    return (
        f"{counted['images']} images, {counted['studies']} studies, "
        f"{counted['patients']} patients; "
        f"classes: {', '.join(figures['question']['classes'])}."
    )


def describe_threshold(figures: dict[str, Any]) -> str:
    """Describe how the operating point was chosen, and its thresholds."""
    point, question = figures["operating_point"], figures["question"]
    rule = {
        "youden": "the highest sensitivity + specificity",
        "sensitivity": f"the best specificity with a sensitivity of {point['target']} at least",
        "specificity": f"the best sensitivity with a specificity of {point['target']} at least",
    }[point["rule"]]
    cuts = [
        f"{name} {cut:.4g}"
        for name, cut, positive in zip(
            question["classes"], point["thresholds"], question["positive"], strict=True
        )
        if positive
    ]
    return f"Operating point, chosen on validation for {rule}: {', '.join(cuts)}."
