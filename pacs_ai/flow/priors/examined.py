"""When and of what the images of a study are: what an earlier study has in common with a later."""

from collections.abc import Iterable

from pacs_ai.dicom.dates_times import date_of, time_of
from pacs_ai.domain import InstanceHeader
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.priors import Examined

_FAMILIES = {"DX": "CR", "RG": "CR"}
"""Modalities that are examined alike, and what stands for them: projection radiography."""

_SIDES = {"L": "L", "R": "R", "B": "LR"}
"""Laterality (0020,0060): a side, or both. ``U`` is a part without sides."""

_SECONDS = 6  # digits of a time without fractions


def examined_of(
    context: FlowContext, headers: Iterable[InstanceHeader], when: tuple[str, str]
) -> Examined | None:
    """Say when and of what the images of a study are; None if they state no date of the study.

    Parameters
    ----------
    headers
        Of the images.
    when
        Study Date and Study Time.
    """
    some = list(headers)
    return examined(
        context,
        when,
        [one.modality for one in some],
        [one.body_part for one in some],
        [one.laterality for one in some],
    )


def examined(
    context: FlowContext,
    when: tuple[str, str],
    modalities: Iterable[str],
    body_parts: Iterable[str],
    sides: Iterable[str],
) -> Examined | None:
    """Say the same of what an archive or the images state; what is "" is not stated.

    Parameters
    ----------
    when
        Study Date and Study Time.
    """
    day = date_of(when[0])
    if day is None:
        return None
    parts = sorted({plain_body_part(one) for one in body_parts} - {""})
    letters = sorted(set("".join(_SIDES.get(one.strip().upper(), "") for one in sides)))
    return Examined(
        day=day.isoformat(),
        time=time_of(when[1]).partition(".")[0][:_SECONDS],
        modality="+".join(sorted({family(one) for one in modalities} - {""}))[:32],
        body_part_key=context.body_part_key("+".join(parts)) if parts else "",
        laterality="".join(letters),
    )


def family(modality: str) -> str:
    """Return the modality that stands for a family of them."""
    return _FAMILIES.get(modality, modality)


def plain_body_part(stated: str) -> str:
    """Return a body part as it is compared: case, spaces and signs say nothing."""
    return "".join(letter for letter in stated.upper() if letter.isalnum())
