"""Sentences about an evaluation, for people."""

from typing import Any


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
