"""Which augmentation the anatomy forbids: what an image shows must stay true after the change."""

import re
from collections.abc import Sequence

from pacs_ai.model.manifest import ClassEntry
from training.recipe.data import Augmentation

_SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)
_RADIOGRAPHY = {"CR", "DX", "RG", "DR"}
_CHEST = {"CHEST", "THORAX", "LUNG", "HEART"}
_QUARTER_TURN = 90.0


def anatomy_fault(
    augmentation: Augmentation,
    classes: Sequence[ClassEntry],
    modalities: Sequence[str],
    body_parts: Sequence[str],
) -> str:
    """Find a change that makes a label wrong, or an image that no patient has.

    Parameters
    ----------
    augmentation
        The changes.
    classes
        A class whose name or code meaning has the word left or right names a side.
    modalities, body_parts
        What the model is for; without body parts it is not known to be for the chest.

    Returns
    -------
    str
        What is wrong, with the key; "" if nothing is.
    """
    lateral = [entry.name for entry in classes if _names_side(entry)]
    chest = bool(body_parts) and {part.strip().upper() for part in body_parts} <= _CHEST
    chest = chest and set(modalities) <= _RADIOGRAPHY
    if lateral and augmentation.cutmix > 0:
        return (
            f"augmentation.cutmix: a rectangle of another image does not bring the side that "
            f"class {lateral[0]!r} names"
        )
    turned = [name for name in ("flip_horizontal", "flip_vertical") if getattr(augmentation, name)]
    if augmentation.rotation_degrees > _QUARTER_TURN:
        turned.append("rotation_degrees above 90")
    if turned and lateral:
        return (
            f"augmentation.{turned[0]} exchanges left and right, and class {lateral[0]!r} names a "
            "side"
        )
    if turned and chest:
        return (
            f"augmentation.{turned[0]} is not for chest radiographs: the heart lies on the left. "
            "export.applicability and input.modalities say that the model is for these only"
        )
    return ""


def _names_side(entry: ClassEntry) -> bool:
    return any(_SIDE.search(text.replace("_", " ")) for text in (entry.name, entry.code.meaning))
