"""What an object is that is no picture to analyse, in the words of the standard."""

from pydicom.uid import UID

VIDEO = "video"

_VIDEO_SYNTAXES = ("1.2.840.10008.1.2.4.10", "1.2.840.10008.1.2.7.")
_VIDEO_LENGTH = len("1.2.840.10008.1.2.4.100")
_VIDEO_CLASSES = frozenset(
    f"1.2.840.10008.5.1.4.1.1.77.1.{middle}.1" for middle in (1, 2, 4)
)  # endoscopy, microscopy, photography
_RADIOTHERAPY = "1.2.840.10008.5.1.4.1.1.481."
_ULTRASOUND_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"


def other_than_image(sop_class_uid: str, transfer_syntax_uid: str) -> str:
    """Name what an instance is if no model can be shown it; "" for images and private classes.

    Parameters
    ----------
    sop_class_uid
        SOP Class UID.
    transfer_syntax_uid
        Transfer Syntax UID: a video may come under the class of an image.

    Returns
    -------
    str
        ``RT Dose``, ``Encapsulated PDF``, ``video``: the name of PS3.6 Annex A without "Storage".

    Notes
    -----
    The standard calls the classes of pictures "Image"; the one exception is the ultrasound volume.
    Radiotherapy images show the position of a patient, not the inside of one.
    """
    if sop_class_uid in _VIDEO_CLASSES or _is_video(transfer_syntax_uid):
        return VIDEO
    name = UID(sop_class_uid).name
    if name == sop_class_uid or not name:
        return ""
    is_image = "Image" in name and not sop_class_uid.startswith(_RADIOTHERAPY)
    if is_image or sop_class_uid == _ULTRASOUND_VOLUME:
        return ""
    return name.partition(" Storage")[0]


def _is_video(transfer_syntax_uid: str) -> bool:
    length = len(transfer_syntax_uid.removesuffix(".1"))  # the fragmentable forms
    mpeg, smpte = _VIDEO_SYNTAXES
    return transfer_syntax_uid.startswith(smpte) or (
        transfer_syntax_uid.startswith(mpeg) and length == _VIDEO_LENGTH
    )
