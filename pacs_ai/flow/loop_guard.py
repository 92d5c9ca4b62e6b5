"""Instances that are stored and never analysed: results of ours and other screenshots."""

from pacs_ai.dicom.other_objects import other_than_image
from pacs_ai.dicom.scan import ScannedInstance
from pacs_ai.dicom.series import SECONDARY_CAPTURES
from pacs_ai.domain import InstanceHeader
from pacs_ai.results.common.context import own_result

OWN_RESULT = "own result"
NOT_ANALYSED = ": not analysed"
_DERIVED = ("DERIVED", "SECONDARY")


def passive_reason(scanned: ScannedInstance) -> str:
    r"""Say why an instance is no reason to analyse its study; "" if it is one.

    Notes
    -----
    Derived secondary captures are screenshots and other results; a CT or MR image that is
    DERIVED\SECONDARY, such as a reformat, is a source like any other.
    """
    if own_result(scanned.manufacturer, scanned.manufacturer_model):
        return OWN_RESULT
    return _no_picture(
        scanned.sop_class_uid,
        scanned.transfer_syntax_uid,
        scanned.image_type,
        has_pixels=scanned.has_pixels,
    )


def stays_passive(header: InstanceHeader) -> bool:
    """Tell the same of an instance that is stored: a fault of its pixels may have been mended."""
    return bool(passive_reason_of(header))


def passive_reason_of(header: InstanceHeader) -> str:
    """Say the same as `passive_reason` of an instance whose header was read."""
    if own_result(header.manufacturer, header.model_name):
        return OWN_RESULT
    return _no_picture(
        header.sop_class_uid,
        header.transfer_syntax_uid,
        header.image_type,
        has_pixels=header.has_pixels,
    )


def _no_picture(
    sop_class_uid: str, transfer_syntax_uid: str, image_type: tuple[str, ...], *, has_pixels: bool
) -> str:
    kind = other_than_image(sop_class_uid, transfer_syntax_uid)
    if not kind and not has_pixels:
        kind = "no pixels"
    if not kind and sop_class_uid in SECONDARY_CAPTURES and image_type[:2] == _DERIVED:
        kind = "secondary capture"
    return f"{kind}{NOT_ANALYSED}" if kind else ""
