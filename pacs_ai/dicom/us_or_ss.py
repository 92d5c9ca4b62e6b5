"""Elements of 16 bits whose sign depends on other elements: "US or SS" in the data dictionary.

Writers state the wrong one of both in Explicit VR, and Implicit VR states none. Here only the bits
are taken from the element; the sign is what PS3.3 says it must be.
"""

import numpy as np
import numpy.typing as npt
from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import numbers

_WORD = 1 << 16
_WORDS = frozenset({None, "US", "SS", "OW", "OB", "UN", "US or SS", "US or OW", "US or SS or OW"})


def us_or_ss(dataset: Dataset, keyword: str, *, signed: bool) -> tuple[int, ...]:
    """Read the values of an element of VR "US or SS"; () if it is absent or empty.

    Parameters
    ----------
    dataset
        The data set or item that holds the element.
    keyword
        Of the element.
    signed
        What PS3.3 says of it: two's complement or not; the VR that was written does not count.

    Notes
    -----
    Sources of the sign: Pixel Representation for Pixel Padding Value and its range limit (C.7.5.1),
    Smallest and Largest Image Pixel Value (C.7.6.3), descriptors of palettes (C.7.6.3.1.5) and of
    the Modality LUT (C.11.1.1); the possible output of the rescale for the VOI LUT (C.11.2.1.1).
    """
    words = (int(value) & (_WORD - 1) for value in word_values(dataset, keyword))
    return tuple(signed_word(word) if signed else word for word in words)


def is_us_or_ss(keyword: str) -> bool:
    """Tell whether an element is one such value; its sign is that of Pixel Representation."""
    tag = tag_for_keyword(keyword)
    return tag is not None and dictionary_VR(tag) == "US or SS" and dictionary_VM(tag) == "1"


def signed_word(word: int) -> int:
    """Take 16 bits for two's complement."""
    return word - _WORD if word >= _WORD // 2 else word


def word_values(dataset: Dataset, keyword: str) -> npt.NDArray[np.int64]:
    """Values of an element of words, in no particular sign; empty if there are none."""
    data = _word_bytes(dataset, keyword)
    if data is None:
        found = [value for value in numbers(dataset, keyword) if abs(value) < 2 * _WORD]
        return np.array(found, dtype=np.int64)
    little = _little_endian(dataset, keyword)
    return np.frombuffer(data + b"\0" * (len(data) % 2), dtype="<u2" if little else ">u2").astype(
        np.int64
    )


def _word_bytes(dataset: Dataset, keyword: str) -> bytes | None:
    """Bytes of an element of words as they are stored; None if it is absent or holds numbers."""
    if keyword not in dataset:
        return None
    element = dataset.get_item(keyword)
    value: object = element.value
    return value if isinstance(value, bytes) and element.VR in _WORDS else None


def _little_endian(dataset: Dataset, keyword: str) -> bool:
    raw: object = getattr(dataset.get_item(keyword), "is_little_endian", None)
    return (dataset.original_encoding[1] if raw is None else raw) is not False
