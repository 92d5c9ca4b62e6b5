"""The images of a study as a model is shown them: read ahead, as many together as it computes."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from pacs_ai.analysis.read_ahead import read_ahead
from pacs_ai.dicom.parsed_files import ParsedFiles
from pacs_ai.dicom.pixels import DecodedFrame, render_frame
from pacs_ai.dicom.rendering_reservation import RenderingReservation
from pacs_ai.domain import InstanceHeader
from pacs_ai.errors import NotDicom, UnsupportedPixels
from pacs_ai.model.network import Floats
from pacs_ai.model.predict import Classifier
from pacs_ai.model.preprocess import preprocess
from pacs_ai.model.spec import InputSpec

READ_AHEAD_BYTES = 1 << 28
"""Memory for images that are read while earlier ones are predicted, and as much for these."""

_BYTES_A_PIXEL = 8

Place = tuple[InstanceHeader, int]
"""An instance, and the number of a frame of it."""


@dataclass(frozen=True, slots=True)
class ReadImage:
    """One image: decoded, as the network is shown it, its rows and columns, and its cautions."""

    header: InstanceHeader
    frame: int
    decoded: DecodedFrame
    x: Floats
    size: tuple[int, ...]
    reservations: tuple[RenderingReservation, ...]


def image_groups(
    classifier: Classifier,
    parsed: ParsedFiles,
    places: Sequence[Place],
    failed: list[tuple[InstanceHeader, int, str]],
) -> Generator[Sequence[ReadImage], None, None]:
    """Read images ahead, and give as many together as the model computes at a time.

    Parameters
    ----------
    failed
        Gets the images that cannot be read, with the reason.

    Notes
    -----
    Close it where it may not be used up; see `pacs_ai.analysis.read_ahead.read_ahead`.
    """
    ahead = read_ahead(
        partial(_read, classifier.bundle.input, parsed),
        places,
        _size,
        threads=max(1, classifier.threads // classifier.batch),  # as many studies are analysed
        most=READ_AHEAD_BYTES,
    )
    with closing(ahead):
        group, held = list[ReadImage](), 0
        for image in _readable(ahead, failed):
            group.append(image)
            held += _size((image.header, image.frame))
            if len(group) == classifier.batch or held >= READ_AHEAD_BYTES:
                yield group
                group, held = [], 0
        if group:
            yield group


def _readable(
    ahead: Iterable[tuple[Place, Future[ReadImage]]],
    failed: list[tuple[InstanceHeader, int, str]],
) -> Iterator[ReadImage]:
    for (header, frame), reading in ahead:
        try:
            image = reading.result()
        except (NotDicom, UnsupportedPixels) as error:
            failed.append((header, frame, error.message))
        else:
            yield image


def _read(spec: InputSpec, parsed: ParsedFiles, place: Place) -> ReadImage:
    header, frame = place
    decoded = parsed.decode(header.path, frame)
    shown = render_frame(decoded, spec.windows, full_range=spec.full_range)
    x, size = preprocess(shown.rows, spec), shown.rows.shape
    return ReadImage(header, frame, decoded, x, size, shown.reservations)


def _size(place: Place) -> int:
    """Return how many bytes it takes to read an image: its stored values twice, and floats."""
    header, _ = place
    return _BYTES_A_PIXEL * header.rows * header.columns
