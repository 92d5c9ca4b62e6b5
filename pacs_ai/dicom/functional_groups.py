"""Where the values of one frame stand: in its own group, in the shared one, or at the top."""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import items, value_of

GROUPS_KEYWORDS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


def holders(dataset: Dataset, frame: int, macro: str) -> list[Dataset]:
    """List the data sets that may describe a frame, the closest to the frame first.

    Parameters
    ----------
    dataset
        Of the instance, with the elements of `GROUPS_KEYWORDS`.
    frame
        Counts from 1.
    macro
        Keyword of the macro's sequence, ``FrameVOILUTSequence`` for one.

    Returns
    -------
    list of Dataset
        Item of the frame's own group, item of the shared group, the data set itself. The last is
        always there: images without functional groups keep their values there.

    Notes
    -----
    PS3.3 Section C.7.6.16.
    """
    own = items(dataset, "PerFrameFunctionalGroupsSequence")[frame - 1 : frame]
    shared = items(dataset, "SharedFunctionalGroupsSequence")[:1]
    return [item for group in own + shared for item in items(group, macro)[:1]] + [dataset]


def holder(dataset: Dataset, frame: int, macro: str, keywords: Sequence[str]) -> Dataset:
    """Return the first of `holders` that has a value for one of the keywords, else the last.

    An item without values, as some writers add one to every frame, hides nothing.
    """
    found = holders(dataset, frame, macro)
    given = (one for one in found if any(has_value(one, keyword) for keyword in keywords))
    return next(given, dataset)


def has_value(dataset: Dataset, keyword: str) -> bool:
    """Tell whether an element is there with a value, readable or not."""
    if keyword not in dataset:
        return False
    raw: object = dataset.get_item(keyword).value
    if isinstance(raw, bytes):
        return bool(raw.strip(b" \0\\"))
    return value_of(dataset, keyword) is not None
