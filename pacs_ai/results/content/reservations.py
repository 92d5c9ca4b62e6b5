"""What a picture says about an image or a study that needs caution."""

from pacs_ai.coverage import Coverage
from pacs_ai.domain import ImagePrediction

CAUTION = "Caution"
"""The first word of a reservation, in a picture and in the tracking text of a report."""


def reservation_text(image: ImagePrediction) -> str:
    """Say on a picture what about its image the model was not made for; "" if nothing."""
    reasons = list(image.misfits)
    if image.is_outlier:
        reasons.append(f"unlike the training images ({image.outlier:.1f} x limit)")
    return f"{CAUTION}: {', '.join(reasons)}" if reasons else ""


def coverage_text(coverage: Coverage) -> str:
    """Say on a picture how much of its study was not looked at; "" if nothing."""
    if not coverage.reasons:
        return ""
    incomplete = "incompletely analysed, " if coverage.incomplete else ""
    return f"{CAUTION}: {incomplete}{coverage.remark}"
