"""What is stored but never analysed, so that no result ever becomes a source."""

from pacs_ai.dicom.scan import ScannedInstance
from pacs_ai.dicom.series import SECONDARY_CAPTURES
from pacs_ai.results.context import own_result

_NOT_IMAGES = (
    "1.2.840.10008.5.1.4.1.1.88.",  # structured reports, key object selections
    "1.2.840.10008.5.1.4.1.1.11.",  # presentation states
    "1.2.840.10008.5.1.4.1.1.66",  # raw data, registrations, segmentations
    "1.2.840.10008.5.1.4.1.1.104.",  # encapsulated documents
    "1.2.840.10008.5.1.4.1.1.481.",  # radiotherapy objects
)
_PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"


def passive_reason(scanned: ScannedInstance) -> str:
    r"""Say why an instance is no reason to analyse its study; "" if it is one.

    Notes
    -----
    Derived secondary captures are screenshots and other results; a CT or MR image that is
    DERIVED\SECONDARY, such as a reformat, is a source like any other.
    """
    if own_result(scanned.manufacturer, scanned.manufacturer_model):
        return "own result"
    if scanned.sop_class_uid.startswith(_NOT_IMAGES) or scanned.sop_class_uid == _PARAMETRIC_MAP:
        return "not an image"
    if not scanned.has_pixels:
        return "no pixels"
    derived = scanned.image_type[:2] == ("DERIVED", "SECONDARY")
    if derived and scanned.sop_class_uid in SECONDARY_CAPTURES:
        return "derived secondary capture"
    return ""
