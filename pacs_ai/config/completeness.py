"""When a study counts as complete: ``[study]``, and the same keys for modality, sender and rule."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pacs_ai.config.sections import Seconds, Section

RADIOGRAPHY = {"CR": 60, "DX": 25, "MG": 60}
"""Projection radiography: ``release_seconds`` if nothing else is configured; see docs/adr/0006."""


Patterns = str | Annotated[tuple[str, ...], Field(min_length=1)]
"""A literal or a glob (case counts), or a list of them of which one must match."""


class Required(Section):
    """An entry of ``complete_when``: images that must be there, and at least how many."""

    description: Patterns | None = None
    """Series Description (0008,103E); not set: any."""
    modality: Patterns | None = None
    """Modality (0008,0060); not set: any."""
    image_type: Patterns | None = None
    r"""Image Type (0008,0008), its values joined by ``\``; not set: any."""
    images: int = Field(1, ge=1)
    """At least so many images that match,"""
    series: int = Field(1, ge=1)
    """of at least so many series."""

    def __str__(self) -> str:
        """Return what people call it: its conditions, and how many images."""
        conditions = (self.description, self.modality, self.image_type)
        named = ", ".join(
            one if isinstance(one, str) else " or ".join(one) for one in conditions if one
        )
        return named or "any"


class StudyTiming(Section):
    """When a study counts as complete; a key that is not set leaves the wider setting in force."""

    quiet_seconds: Seconds | None = None
    """Seconds without a new instance and without an open association that brings some."""
    max_wait_seconds: Seconds | None = None
    """Seconds after the first instance at which the study is closed in any case."""
    release_seconds: float | None = Field(None, ge=0)
    """Seconds after the association's release, if nothing new arrived; not set: wait quietly."""
    complete_when: tuple[Required, ...] | None = None
    """What must be there; with all of it, and no association that brings more, it is closed."""
    when_incomplete: Literal["wait", "close"] | None = None
    """While some of that is missing: ``wait`` for ``max_wait_seconds``, or ``close`` as without."""
    count_check: bool | None = None
    """Before that, ask the source how many images the study has, and wait for them."""
    count_peer: str | None = None
    """The peer to ask; not set: the one whose ``ae_title`` the study came from."""

    @property
    def said(self) -> dict[str, object]:
        """The keys that are set, with their values."""
        names = StudyTiming.model_fields
        return {name: one for name in names if (one := getattr(self, name)) is not None}


class Study(StudyTiming):
    """``[study]``: completeness; each key also for a modality, in ``[peers.x]`` and in a rule."""

    quiet_seconds: Seconds | None = 60
    """Seconds without a new instance and without an open association that brings some."""
    max_wait_seconds: Seconds | None = 3600
    """Seconds after the first instance at which the study is closed in any case."""
    complete_when: tuple[Required, ...] = ()
    """What must be there; with all of it, and no association that brings more, it is closed."""
    when_incomplete: Literal["wait", "close"] = "wait"
    """While some of that is missing: ``wait`` for ``max_wait_seconds``, or ``close`` as without."""
    count_check: bool = False
    """Before that, ask the source how many images the study has, and wait for them."""
    modality: dict[str, StudyTiming] = Field({})
    """The same keys for one modality. DX, CR and MG come with a ``release_seconds``."""

    @model_validator(mode="before")
    @classmethod
    def _projection_radiography(cls, data: object) -> object:
        """Set how long the next view of a radiograph is waited for."""
        given = data.get("modality", {}) if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(given, dict):
            return data
        timings: dict[str, object] = {
            name: {"release_seconds": seconds} for name, seconds in RADIOGRAPHY.items()
        }
        for name, timing in given.items():
            shipped = timings.get(name)
            if isinstance(shipped, dict) and isinstance(timing, dict):
                timings[name] = {**shipped, **timing}
            else:
                timings[name] = timing
        return {**data, "modality": timings}

    def narrowed(self, *narrower: StudyTiming) -> Self:
        """Return the settings with those of narrower ones in their place, the last before all."""
        said = {key: one for timing in narrower for key, one in timing.said.items()}
        return self.model_copy(update=said)
