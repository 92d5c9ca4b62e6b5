"""Images whose pixels may show text: told by their headers, for a person to look at."""

from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import text, texts

KEYWORDS = ("BurnedInAnnotation", "Modality", "SOPClassUID", "ImageType", "ConversionType")

_MODALITIES = frozenset(
    ("US", "IVUS", "ES", "XC", "GM", "SM", "OP", "OT", "SC", "DOC", "EPS", "ECG")
)
"""Devices that write names and dates into the picture, or photograph the patient."""
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_ULTRASOUND = ("1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3")
_SCREEN = frozenset(
    ("SCREENSHOT", "SCREEN", "CAPTURE", "SCREEN_SAVE", "SECONDARY_CAPTURE", "REPORT", "DOSE_INFO")
)


def burned_in(dataset: Dataset) -> str:
    """Say why an image may show text that names the patient; "" if nothing says so.

    Parameters
    ----------
    dataset
        With the elements of `KEYWORDS`.

    Notes
    -----
    PS3.15 Section E.3.1, Clean Pixel Data Option: this tells which images to clean; it cleans none.
    """
    if text(dataset, "BurnedInAnnotation").strip().upper() == "YES":
        return "says that text is burned in"
    modality, uid = text(dataset, "Modality").strip(), text(dataset, "SOPClassUID")
    if uid == _SECONDARY_CAPTURE or uid.startswith((f"{_SECONDARY_CAPTURE}.", *_ULTRASOUND)):
        return "is a secondary capture or ultrasound"
    if modality in _MODALITIES:
        return f"has the modality {modality}"
    if _SCREEN & {
        part.strip().upper() for value in texts(dataset, "ImageType") for part in value.split()
    }:
        return "is a picture of a screen"
    if text(dataset, "ConversionType").strip():
        return "was converted from another source"
    return ""
