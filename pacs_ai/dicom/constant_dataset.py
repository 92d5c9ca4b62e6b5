"""Data sets that many others share: never changed, and so checked and written only once."""

from typing import NoReturn

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence


class Constant(Dataset):
    """A data set that cannot be changed. Made by `constant`.

    ``encoded`` is kept by who writes it first.
    """

    encoded: bytes | None = None

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse for elements; pydicom would change their values in place."""
        if tag_for_keyword(name) is not None:
            raise TypeError("a constant data set cannot be changed")
        super().__setattr__(name, value)

    def __setitem__(self, key: object, value: object) -> NoReturn:
        """Refuse."""
        raise TypeError("a constant data set cannot be changed")

    def __delitem__(self, key: object) -> NoReturn:
        """Refuse."""
        raise TypeError("a constant data set cannot be changed")


def constant(dataset: Dataset) -> Constant:
    """Copy a data set, and all items in it, so that they cannot be changed."""
    return Constant({element.tag: _element(element) for element in dataset})


def _element(element: DataElement) -> DataElement:
    value = element.value
    if element.VR == "SQ":
        value = Sequence([constant(item) for item in value])
    return DataElement(element.tag, element.VR, value, already_converted=True)
