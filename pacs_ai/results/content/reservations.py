"""What a picture says about an image or a study that needs caution."""

from pacs_ai.coverage import Coverage
from pacs_ai.domain import ImagePrediction

CAUTION = "Caution"
"""The first word of a reservation, in a picture and in the tracking text of a report."""


def reservation_text(image: ImagePrediction) -> str:
    """Text of a picture on why the model does not fit its image; "" if it fits."""
    reasons = list(image.misfits)
    if image.is_outlier:
        reasons.append(f"unlike the training images ({image.outlier:.1f} x limit)")
    return f"{CAUTION}: {', '.join(reasons)}" if reasons else ""


def coverage_text(coverage: Coverage) -> str:
    """Text of a picture on images of its study that were not analysed; "" if there are none."""
    if not coverage.reasons:
        return ""
    incomplete = "incompletely analysed, " if coverage.incomplete else ""
    return f"{CAUTION}: {incomplete}{coverage.remark}"
