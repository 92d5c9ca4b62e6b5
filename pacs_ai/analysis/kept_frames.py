"""Decoded frames that pictures are likely to be made of, so that an image is decoded once."""

from collections.abc import Sequence

import numpy as np

from pacs_ai.dicom.frames import UNCOMPRESSED
from pacs_ai.dicom.grey_rows import Floats, GreyRows
from pacs_ai.dicom.pixels import DecodedFrame, colours, decode_frame, render_frame
from pacs_ai.domain import ImagePrediction, ModelIdentity
from pacs_ai.results.content.selection import MAX_CAPTURES
from pacs_ai.results.images.lettering import Picture
from pacs_ai.results.images.overlay import Levels, eight_bits

MAX_BYTES = 128 * 1024 * 1024
"""Most bytes of stored values that are kept: all views of a mammogram, or two large radiographs."""

MAX_UNCOMPRESSED = 32 * 1024 * 1024
"""Most bytes of a frame that is kept although it was not compressed: to read it again is cheap."""

_LEVEL = np.float32(1 / 255)
_GREY_AXES = 2
_Key = tuple[str, int]


class KeptFrames:
    """The decoded frames of the images of a study where its classes are most probable.

    Of each positive class the `MAX_CAPTURES` best images are kept: captures and pages show no
    others. Where they exceed ``limit`` bytes, those go that are nowhere among the best. A frame
    that is not kept is decoded again when it is drawn; the picture is the same. What is kept was
    not windowed yet: the model may have seen the image through another window than readers do. From
    its first drawing on, the 256 levels that readers see take the place of the stored values.

    Parameters
    ----------
    model
        Whose classes are shown; a model without a positive class shows any.
    limit
        Bytes of stored values.
    """

    def __init__(self, model: ModelIdentity, limit: int = MAX_BYTES) -> None:
        positive = [index for index, spec in enumerate(model.classes) if spec.positive]
        self._classes = positive or list(range(len(model.classes)))
        self._limit = limit
        self._frames: dict[_Key, DecodedFrame] = {}
        self._shown: dict[_Key, Levels | Picture] = {}
        self._scores: dict[_Key, list[float]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the stored values and levels that are kept."""
        values = sum(frame.nbytes for frame in self._frames.values())
        return values + sum(levels.nbytes for levels in self._shown.values())

    def offer(self, image: ImagePrediction, decoded: DecodedFrame) -> None:
        """Keep the frame of an image if it is among the best so far.

        Parameters
        ----------
        image
            What the model says of it. Of equally probable images the first counts.
        decoded
            Its frame.
        """
        if image.header.transfer_syntax_uid in UNCOMPRESSED and decoded.nbytes > MAX_UNCOMPRESSED:
            return
        key = _key(image)
        self._frames[key] = decoded
        self._scores[key] = [image.probabilities[index] for index in self._classes]
        ranks = _best_ranks(list(self._scores.values()))
        worst_first = sorted(zip(ranks, self._scores, strict=True), key=lambda one: -one[0])
        for rank, kept in worst_first:
            if rank < MAX_CAPTURES and self.nbytes <= self._limit:
                break
            del self._frames[kept], self._scores[kept]

    def shown(self, image: ImagePrediction) -> GreyRows | Picture:
        """Return what a radiologist sees of an image: grey, or colours.

        Raises
        ------
        UnsupportedPixels, NotDicom, StorageError
            If the image is not kept, and cannot be decoded again.
        """
        key = _key(image)
        if key in self._frames:
            shown = _shown(self._frames[key])
            self._shown[key] = shown if isinstance(shown, np.ndarray) else eight_bits(shown)
            del self._frames[key]
        if key in self._shown:
            levels = self._shown[key]
            return levels if levels.ndim > _GREY_AXES else GreyRows.of(levels, _grey_of)
        return _shown(decode_frame(image.header.path, image.frame))


def _shown(decoded: DecodedFrame) -> GreyRows | Picture:
    picture = colours(decoded)
    return render_frame(decoded, strict=False).rows if picture is None else picture


def _grey_of(levels: Levels) -> Floats:
    return levels * _LEVEL


def _key(image: ImagePrediction) -> _Key:
    return image.header.sop_instance_uid, image.frame


def _best_ranks(scores: Sequence[Sequence[float]]) -> list[int]:
    """Return for each image its place in the class where it stands best; 0 is the first."""
    table = np.array(scores)
    order = np.argsort(-table, axis=0, kind="stable")
    places = np.argsort(order, axis=0)
    return [int(place) for place in places.min(axis=1)]
