"""What a report and a capture say of images that the model was not made for."""

from highdicom.sr import (
    AlgorithmIdentification,
    ContentSequence,
    MeasurementsAndQualitativeEvaluations,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)

from pacs_ai.coverage import Coverage
from pacs_ai.domain import ImagePrediction, ModelIdentity, Reservation
from pacs_ai.results.codes import ARTIFICIAL_INTELLIGENCE, concept
from pacs_ai.results.marks import label, on_image, percentage, reference_of
from pacs_ai.uids import derived_uid

CAUTION = "Caution"
"""How the tracking text of a reservation begins."""


def caution_group(
    reservation: Reservation,
    image: ImagePrediction,
    point: tuple[float, float],
    model: ModelIdentity,
    key: tuple[str, ...],
) -> ContentSequence:
    """Make the measurement group of a reservation (TID 1501).

    Parameters
    ----------
    reservation
        What is said.
    image
        The image that shows it.
    point
        Where a viewer writes it, in parts of the image's sides.
    model
        Who says it.
    key
        Key of the report's series, for the tracking UID.
    """
    name = concept(reservation.code)
    header = image.header
    made = MeasurementsAndQualitativeEvaluations(
        TrackingIdentifier(
            derived_uid("tracking", *key, "caution", header.sop_instance_uid, name.value),
            f"{CAUTION}: {reservation.text}",
        ),
        finding_type=name,
        algorithm_id=AlgorithmIdentification(
            name=model.name,
            version=model.version,
            manufacturer=model.manufacturer,
            family=ARTIFICIAL_INTELLIGENCE,
        ),
        measurements=[percentage(name, reservation.percent, None)],
        source_images=[SourceImageForMeasurementGroup(*reference_of(image))],
    )
    label(made[0], *on_image(image, point))
    return made


def caution_text(image: ImagePrediction) -> str:
    """Say on a picture what about its image the model was not made for; "" if nothing."""
    reasons = list(image.misfits)
    if image.stray:
        reasons.append(f"unlike the training images ({image.outlier:.1f} x limit)")
    return f"{CAUTION}: {', '.join(reasons)}" if reasons else ""


def coverage_text(coverage: Coverage) -> str:
    """Say on a picture how much of its study was not looked at; "" if nothing."""
    if not coverage.reasons:
        return ""
    incomplete = "incompletely analysed, " if coverage.incomplete else ""
    return f"{CAUTION}: {incomplete}{coverage.remark}"
