"""Texts of a recipe that end up in reports: DICOM does not allow control characters in them."""

import unicodedata
from collections.abc import Iterator, Mapping

_PARAGRAPHS = ("card", "release.description")
"""Texts for people, which may have lines and tabulators."""

_SOURCE = "data"
"""Describes the labels as their source has them; nothing of it is in a report."""

_VALUES = ("release.name", "release.version", "release.manufacturer", "classes")
"""Texts that become values of DICOM elements: a backslash would divide them."""


def text_fault(recipe: Mapping[str, object]) -> str:
    """Find a text that a report cannot hold.

    Parameters
    ----------
    recipe
        The values of a recipe.

    Returns
    -------
    str
        What is wrong, with the key; "" if nothing is.

    Notes
    -----
    PS3.5 Section 6.2: the values of SH and LO have neither control characters nor a backslash.
    """
    for key, text in _texts("", recipe):
        allowed = "\n\t" if key.startswith(_PARAGRAPHS) else ""
        controls = [c for c in text if unicodedata.category(c) == "Cc" and c not in allowed]
        if controls:
            return (
                f"{key} has the control character U+{ord(controls[0]):04X}: no report can hold it"
            )
        if "\\" in text and key.startswith(_VALUES):
            return f"{key} has a backslash: no report holds it"
    return ""


def _texts(key: str, value: object) -> Iterator[tuple[str, str]]:
    """List all texts with their keys."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if (key, name) != ("", _SOURCE):
                yield from _texts(f"{key}.{name}" if key else str(name), each)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _texts(f"{key}.{index}", each)
