"""What is to be said of how an image is shown."""

from enum import StrEnum


class RenderingCaution(StrEnum):
    """What is to be said of how an image is shown; a few words that name no value."""

    WINDOW = "window not usable"
    UNITS = "no Hounsfield units"
    BLANK = "blank"
