"""What a network takes, as its bundle says it. Light to import: the listener reads it too."""

from dataclasses import dataclass
from itertools import product
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pacs_ai.coverage import ALL_IMAGES
from pacs_ai.dicom.image_choice import ImageChoice
from pacs_ai.model.steps import RESIZES, SCALINGS

LETTERBOX = "letterbox-v1"
"""Shrink by area (enlarge linearly) until the image fits, keep its aspect, centre it on black,
then move [0, 1] to [-1, 1]."""


@dataclass(frozen=True, slots=True)
class Preprocess:
    """What one preprocess id means; an id never changes its meaning.

    ``resize`` and ``scaling`` are names of `pacs_ai.model.steps`. With three ``channels`` grey is
    repeated; one channel stands for the mean colour of the scaling.
    """

    resize: str
    scaling: str
    channels: Literal[1, 3]


def preprocess_id(resize: str, scaling: str, channels: Literal[1, 3]) -> str:
    """Name the steps: ``stretch-imagenet-rgb-v1``; what is usual (symmetric, grey) goes unsaid."""
    parts = [resize, scaling if scaling != "symmetric" else "", "rgb" if channels > 1 else ""]
    return "-".join(part for part in (*parts, "v1") if part)


_CHANNELS: tuple[Literal[1, 3], ...] = (1, 3)


def preprocesses() -> dict[str, Preprocess]:
    """Return every combination of the known steps, by its id."""
    return {
        preprocess_id(resize, scaling, channels): Preprocess(resize, scaling, channels)
        for resize, scaling, channels in product(RESIZES, SCALINGS, _CHANNELS)
    }


PREPROCESSES = preprocesses()
"""All ids: ``letterbox-v1``, ``letterbox-rgb-v1``, ``stretch-imagenet-rgb-v1`` and so on."""


class InputSpec(BaseModel):
    """What a network takes: ``height`` x ``width`` pixels made by ``preprocess``, and from where.

    ``modalities`` says which images it was made for, ``max_images`` how many of a study it is
    shown at most. ``images`` says which of the slices of a series, or of the frames of another
    multi-frame image, it is shown: ``all``, ``central-5``, ``every-4``. ``windows`` gives
    modalities a window of their own, (centre, width) in units of the modality (Hounsfield units for
    CT): the network then sees every image that has these units through it, whatever window the
    image brings. ``eight_bits`` says how it sees a grey image of at most 8 bits that brings no
    window: ``stretched`` between two percentiles, as images of more bits; this is so where the key
    is left out. ``full-range``: as pictures are, 0 is black and the largest value is white.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(ge=16, le=4096)
    width: int = Field(ge=16, le=4096)
    preprocess: str
    modalities: tuple[str, ...] = Field(min_length=1)
    max_images: int = Field(ge=1, le=100_000)
    images: ImageChoice = ALL_IMAGES
    windows: dict[str, tuple[float, float]] = Field(default_factory=dict)
    eight_bits: Literal["stretched", "full-range"] | None = None

    @property
    def full_range(self) -> bool:
        """Whether images of eight bits without a window are not stretched."""
        return self.eight_bits == "full-range"

    @property
    def steps(self) -> Preprocess:
        """What ``preprocess`` means."""
        return PREPROCESSES[self.preprocess]

    @property
    def channels(self) -> int:
        """Channels of the network's input, 1 or 3."""
        return self.steps.channels

    @field_validator("preprocess")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in PREPROCESSES:
            raise ValueError(f"unknown preprocess {value!r}; known: {', '.join(PREPROCESSES)}")
        return value

    @field_validator("modalities")
    @classmethod
    def _are_capitals(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(name != name.upper() for name in value):
            raise ValueError("modalities are written in capitals")
        return value

    @field_validator("windows")
    @classmethod
    def _are_windows(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (_, width) in value.items():
            if name != name.upper():
                raise ValueError("modalities are written in capitals")
            if width < 1:
                raise ValueError(f"the window of {name} must be at least 1 wide: [centre, width]")
        return value
