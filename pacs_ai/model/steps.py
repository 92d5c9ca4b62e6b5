"""The steps that make a network's input, by name: how an image is resized, how grey is scaled.

Training and serving read the same tables. A bundle names its steps (`pacs_ai.model.spec`), so an
entry here never changes its meaning. Light to import: the listener reads it too.
"""

from dataclasses import dataclass
from typing import Protocol

Size = tuple[int, int]
"""Rows and columns."""

Span = tuple[int, int, int, int]
"""(top, left, height, width)."""

Triple = tuple[float, float, float]


class Resize(Protocol):
    """Where an image goes in the network's input. Both are whole numbers of pixels."""

    def seen(self, image: Size, target: Size) -> Span:
        """Return the part of the image that the network is shown, in pixels of the image."""

    def content(self, seen: Size, target: Size) -> Span:
        """Return the part of the input that this fills, in pixels of the input; the rest is black.

        Parameters
        ----------
        seen
            Size of the part that the network is shown.
        """


class Letterbox:
    """All of the image, with its aspect, in the centre."""

    def seen(self, image: Size, target: Size) -> Span:  # noqa: ARG002 - see `Resize`
        """Return all of the image."""
        return 0, 0, *image

    def content(self, seen: Size, target: Size) -> Span:
        """Return the largest rectangle with the aspect of what is seen."""
        return centred(inside(seen, target), target)


class Stretch:
    """All of the image on all of the input; the aspect is lost."""

    def seen(self, image: Size, target: Size) -> Span:  # noqa: ARG002 - see `Resize`
        """Return all of the image."""
        return 0, 0, *image

    def content(self, seen: Size, target: Size) -> Span:  # noqa: ARG002 - see `Resize`
        """Return all of the input."""
        return 0, 0, *target


class CentreCrop:
    """The centre of the image, with its aspect, on all of the input."""

    def seen(self, image: Size, target: Size) -> Span:
        """Return the largest rectangle with the aspect of the input."""
        return centred(inside(target, image), image)

    def content(self, seen: Size, target: Size) -> Span:  # noqa: ARG002 - see `Resize`
        """Return all of the input."""
        return 0, 0, *target


def inside(size: Size, frame: Size) -> Size:
    """Scale a size, with its aspect, until it just fits into a frame; at least one pixel."""
    scaled = min(frame[0] / size[0], frame[1] / size[1])
    height, width = (max(1, round(length * scaled)) for length in size)
    return min(frame[0], height), min(frame[1], width)


def centred(size: Size, frame: Size) -> Span:
    """Place a rectangle in the centre of a frame."""
    return (frame[0] - size[0]) // 2, (frame[1] - size[1]) // 2, *size


@dataclass(frozen=True, slots=True)
class Scaling:
    """Grey in [0, 1] times ``factor``, minus ``offset``, for each of three channels."""

    factor: Triple
    offset: Triple


RESIZES: dict[str, Resize] = {
    "letterbox": Letterbox(),
    "stretch": Stretch(),
    "centre-crop": CentreCrop(),
}

SCALINGS: dict[str, Scaling] = {
    "symmetric": Scaling((2.0, 2.0, 2.0), (1.0, 1.0, 1.0)),
    "unit": Scaling((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
    "imagenet": Scaling(
        (1 / 0.229, 1 / 0.224, 1 / 0.225), (0.485 / 0.229, 0.456 / 0.224, 0.406 / 0.225)
    ),
    "caffe": Scaling((255.0, 255.0, 255.0), (103.939, 116.779, 123.68)),
    "bytes": Scaling((255.0, 255.0, 255.0), (0.0, 0.0, 0.0)),
    "lite": Scaling((255 / 128, 255 / 128, 255 / 128), (127 / 128, 127 / 128, 127 / 128)),
}
"""``symmetric`` to [-1, 1]; ``unit`` as it is; ``bytes`` to [0, 255]; ``imagenet`` minus mean, by
standard deviation of ImageNet's colours; ``caffe`` to [0, 255] minus ImageNet's means, blue first;
``lite`` is (byte - 127) / 128, as for EfficientNet-Lite.
"""
