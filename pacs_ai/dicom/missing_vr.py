"""Elements without a valid VR, as pydicom is to read them: as UN in short form, as archives do.

Left alone, pydicom takes such an element for one of implicit VR, reads its length from the wrong
bytes and loses all that follows. What the walk on arrival (`pacs_ai.dicom.elements`) takes is
what can be read afterwards.
"""

from io import BytesIO
from typing import Any, BinaryIO

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.hooks import hooks, raw_element_vr
from pydicom.tag import Tag
from pydicom.valuerep import VR

from pacs_ai.dicom.element_encoding import SHORT_VRS, is_vr
from pacs_ai.dicom.part10 import EXPLICIT_BIG

_KNOWN = frozenset(str(vr.value) for vr in VR)


def _known_vr(raw: RawDataElement, data: dict[str, Any], **more: Any) -> None:  # noqa: ANN401
    """Give an element without a valid VR the one of the dictionary: pydicom's hook for VRs."""
    if raw.VR is not None and raw.VR not in _KNOWN:
        raw = raw._replace(VR=None)
    raw_element_vr(raw, data, **more)


config.assume_implicit_vr_switch = False
hooks.register_callback("raw_element_vr", _known_vr)


def with_first_vr(stream: BinaryIO, start: int, syntax: str) -> BinaryIO:
    """Return the stream, or a copy of it where a VR stands in the first element.

    By that element pydicom judges whether all the rest has VRs.

    Parameters
    ----------
    stream
        A data set in explicit VR, from ``start``.
    start
        Where it begins.
    syntax
        Its transfer syntax.
    """
    stream.seek(start)
    head = stream.read(8)
    vr, length = head[4:6], head[6:]
    if is_vr(vr) or not any(length):  # no length: the data set is implicit, and pydicom sees it
        return stream
    order = "big" if syntax == EXPLICIT_BIG else "little"
    tag = Tag(int.from_bytes(head[:2], order), int.from_bytes(head[2:4], order))  # type: ignore[arg-type]
    try:
        known = dictionary_VR(tag).encode()
    except KeyError:
        known = b""
    stream.seek(0)
    content = bytearray(stream.read())
    content[start + 4 : start + 6] = known if known in SHORT_VRS else b"LT"
    return BytesIO(content)
