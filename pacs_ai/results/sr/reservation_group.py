"""The measurement group of a reservation: the model was not made for this image (TID 1501)."""

from highdicom.sr import (
    AlgorithmIdentification,
    ContentSequence,
    MeasurementsAndQualitativeEvaluations,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)

from pacs_ai.domain import ImagePrediction, ModelIdentity, Reservation
from pacs_ai.results.common.codes import ARTIFICIAL_INTELLIGENCE, concept
from pacs_ai.results.content.reservations import CAUTION
from pacs_ai.results.sr.image_measurements import (
    label,
    on_image,
    percentage,
    pixel_origin,
    reference_of,
)
from pacs_ai.uids import derived_uid


def reservation_group(
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
    label(made[0], *on_image(image, point), pixel_origin(image))
    return made
