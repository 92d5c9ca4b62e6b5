"""Reservations about how an image is rendered."""

from enum import StrEnum


class RenderingReservation(StrEnum):
    """What a result says of how an image was rendered; the text names no value of the image."""

    WINDOW = "window not usable"
    UNITS = "no Hounsfield units"
    BLANK = "blank"
