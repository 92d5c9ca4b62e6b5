"""The heat maps of a study that lie over its images, by class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pacs_ai.domain import ResultKind
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.results.images.read_picture import ShownHeat, read_heat
from pacs_ai.store import viewing
from pacs_ai.store.schema import Result

_HEAT = (ResultKind.MAP, ResultKind.STACK, ResultKind.CAPTURE)
"""What shows heat maps, the best first: a map has them alone, a capture has them on its image."""

_MOST = 1000
"""As many results are read."""


Image = tuple[str, int]
"""SOP Instance UID, and frame from 1."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The heat maps of one class of one model.

    ``pictures`` has the key of the overlay, ``result/frame``, by SOP Instance UID and frame of
    the image. ``opaque``: they are captures, with the image in them. ``best`` is the image that
    shows the class best, of which the first capture was made; None where there is no capture.
    """

    title: str
    model: str
    opaque: bool
    best: Image | None
    pictures: Mapping[Image, str]


def study_layers(node: FlowContext, study_id: int) -> Sequence[Layer]:
    """Return what can be laid over the images of a study, by model, the most important first.

    Where a class has a map and captures, the map is shown.
    """
    with node.database.read() as session:
        stored = viewing.shown_results(session, study_id)
    heat = [(result, job.model_name) for result, job in stored if result.kind in _HEAT]
    heat.sort(key=lambda one: _HEAT.index(ResultKind(one[0].kind)))
    read = [(result, model, _read(node, result)) for result, model in heat[:_MOST]]
    titles = {shown.title for result, _, shown in read if shown and result.kind != ResultKind.MAP}
    layers: dict[tuple[str, str], dict[Image, str]] = {}
    opaque: dict[tuple[str, str], bool] = {}
    best: dict[tuple[str, str], Image] = {}
    for result, model, shown in read:
        if shown is None:
            continue
        key = (model, _whole(shown, titles))
        capture = result.kind != ResultKind.MAP
        images = {(one.sop_instance_uid, one.source_frame): one.frame for one in shown.frames}
        if result.kind == ResultKind.CAPTURE:
            best.setdefault(key, next(iter(images)))
        if opaque.setdefault(key, capture) == capture:
            pictures = layers.setdefault(key, {})
            for image, frame in images.items():
                pictures.setdefault(image, f"{result.id}/{frame}")
    return [
        Layer(title, model, opaque[model, title], best.get((model, title)), pictures)
        for (model, title), pictures in sorted(layers.items(), key=lambda one: one[0][0])
    ]


def _read(node: FlowContext, result: Result) -> ShownHeat | None:
    try:
        return read_heat(node.spool.path_of(result.path))
    except (NotDicom, StorageError):
        return None


def _whole(shown: ShownHeat, titles: set[str]) -> str:
    """Return the name of a class of which a map may have the beginning alone."""
    longer = (one for one in sorted(titles) if shown.cut and one.startswith(shown.title))
    return next(longer, shown.title)
