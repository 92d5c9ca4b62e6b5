"""Coding schemes that a result must identify, because the standard does not define them."""

from collections.abc import Iterable, Iterator

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import items, text
from pacs_ai.domain import ModelIdentity
from pacs_ai.results.common.codes import SCHEME
from pacs_ai.results.common.patient_study import copied_element

_PRIVATE = "99"


def scheme_items(source: Dataset, made: Dataset, model: ModelIdentity) -> list[Dataset]:
    """Describe every private coding scheme that a result uses, ours and the source's.

    Parameters
    ----------
    source
        Header of the study's reference image.
    made
        The result with the attributes copied from the source.
    model
        Names the classes' codes.

    Notes
    -----
    Items of Coding Scheme Identification Sequence, PS3.3 Section C.12.1. The source's entry is
    taken over where it has one; where it has none, at least the designator is listed.
    """
    used = {SCHEME, *(spec.code.scheme for spec in model.classes)}
    used.update(_designators([made, *items(source, "RequestAttributesSequence")]))
    element = copied_element(source, "CodingSchemeIdentificationSequence")
    known = {
        text(item, "CodingSchemeDesignator"): item
        for item in (element.value if element is not None else ())
    }
    return [
        _ours() if name == SCHEME else known.get(name) or _named(name)
        for name in sorted(used)
        if name.startswith(_PRIVATE)
    ]


def _designators(datasets: Iterable[Dataset]) -> Iterator[str]:
    for dataset in datasets:
        if designator := text(dataset, "CodingSchemeDesignator"):
            yield designator
        for element in dataset:
            if element.VR == "SQ":
                yield from _designators(element.value)


def _named(designator: str) -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = designator
    return item


def _ours() -> Dataset:
    return CodingSchemeIdentificationItem(
        SCHEME,
        name="pacs-ai result codes",
        version="1",
        responsible_organization="pacs-ai project",
    )
