"""What a network takes, as its bundle says it. Light to import: the listener reads it too."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

LETTERBOX = "letterbox-v1"
"""Shrink by area (enlarge linearly) until the image fits, keep its aspect, centre it on black,
then move [0, 1] to [-1, 1]."""

PREPROCESSES = frozenset({LETTERBOX})


class InputSpec(BaseModel):
    """What a network takes: ``height`` x ``width`` pixels made by ``preprocess``, and from where.

    ``modalities`` says which images it was made for, ``max_images`` how many of a study it is
    shown at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(ge=16, le=4096)
    width: int = Field(ge=16, le=4096)
    preprocess: str
    modalities: tuple[str, ...] = Field(min_length=1)
    max_images: int = Field(ge=1, le=100_000)


def known(preprocess_id: str, modalities: Sequence[str]) -> str | None:
    """Say what is wrong with a bundle's input rules, or None."""
    if preprocess_id not in PREPROCESSES:
        return f"unknown preprocess {preprocess_id!r}; known: {', '.join(sorted(PREPROCESSES))}"
    if any(name != name.upper() for name in modalities):
        return "modalities are written in capitals"
    return None
