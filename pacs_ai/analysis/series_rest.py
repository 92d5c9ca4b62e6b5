"""What lies beside the analysed images in their series."""

from collections.abc import Sequence

from pacs_ai.dicom.series import VOLUME_MODALITIES, has_image
from pacs_ai.domain import ImagePrediction, InstanceHeader


def rest_of_series(
    headers: Sequence[InstanceHeader], images: Sequence[ImagePrediction]
) -> tuple[InstanceHeader, ...]:
    """Return the images of the analysed series of slices that were not analysed.

    Parameters
    ----------
    headers
        All instances of the study whose headers can be read.
    images
        What was analysed.
    """
    seen = {image.header.sop_instance_uid for image in images}
    series = {
        image.header.series_instance_uid
        for image in images
        if image.header.modality in VOLUME_MODALITIES
    }
    return tuple(
        header
        for header in headers
        if header.series_instance_uid in series
        and header.sop_instance_uid not in seen
        and has_image(header)
    )
