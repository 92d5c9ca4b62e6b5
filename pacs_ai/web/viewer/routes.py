"""The routes of the viewer: the view of a study's images, and the pictures in it.

Images name patients, which the other views do not: the role operator is needed, as for DICOMweb.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pacs_ai.dicom.voi import Window
from pacs_ai.domain import Decision, Role, StudyState
from pacs_ai.errors import NotDicom, UnsupportedPixels
from pacs_ai.flow.audit import note
from pacs_ai.flow.operate.find import find_study, missing
from pacs_ai.flow.operate.patients import SHOWN, show_patients
from pacs_ai.store import viewing
from pacs_ai.store.records import StudyRecord
from pacs_ai.web.errors import BadRequest
from pacs_ai.web.page.render import page
from pacs_ai.web.routes import node_of, route
from pacs_ai.web.viewer.overlays import Image, Layer, study_layers
from pacs_ai.web.viewer.pictures import RecentFrames, overlay
from pacs_ai.web.viewer.reports import decisions, study_reports
from pacs_ai.web.viewer.study_images import Series, StudyImages, study_images

_LARGEST = 2**63 - 1
_NOT_FOUND = 404
_LOOK = "images shown"


def _show(request: Request) -> Response:
    """Show the images of a study, the heat maps over them, and the reports."""
    node = node_of(request)
    study_id = _number(request, "study")
    line = find_study(node, str(study_id))
    note.accessed(node, study_id, _LOOK)
    images, layers = study_images(node, study_id), study_layers(node, study_id)
    reports = list(study_reports(node, study_id))
    return page(
        request,
        "images.html",
        study=StudyRecord.of(line),
        received_by=line.study.node,
        purged=line.study.state == StudyState.PURGED,
        images=images,
        layers=layers,
        reports=[report for _, report in reports],
        data=_data(study_id, images, layers, decisions(reports)),
    )


def _data(
    study_id: int,
    images: StudyImages,
    layers: Sequence[Layer],
    decided: Mapping[tuple[str, str], Decision],
) -> dict[str, Any]:
    """Make what the script works with; it begins where the first class is shown best."""
    series = [_of_series(one) for one in images.series]
    keys = {
        (one.sop_instance_uid, one.frame): one.key
        for some in images.series
        for one in some.pictures
    }
    over = [
        {**_of_layer(one, keys), "decision": decided.get((one.model, one.title.casefold()), "")}
        for one in layers
    ]
    shown = (image for one in layers for image in (one.best, *one.pictures) if image is not None)
    first = next((keys[image] for image in shown if image in keys), None)
    places = [
        (number, place)
        for number, one in enumerate(series)
        for place, key in enumerate(one["pictures"])
        if first in (None, key)
    ]
    start = places[0] if places else (0, 0)
    return {"base": f"/studies/{study_id}", "series": series, "layers": over, "start": start}


def _of_series(series: Series) -> dict[str, Any]:
    return {
        "title": series.title,
        "modality": series.modality,
        "windows": series.windows,
        "pictures": [one.key for one in series.pictures],
        "names": [one.name for one in series.pictures],
    }


def _of_layer(layer: Layer, keys: Mapping[Image, str]) -> dict[str, Any]:
    over = {keys[image]: overlay for image, overlay in layer.pictures.items() if image in keys}
    title = f"{layer.title} ({layer.model})"
    return {"title": title, "opaque": layer.opaque, "over": over}


def _image(request: Request) -> Response:
    path, frame = _stored_image(request)
    content = _frames(request).picture(path, frame, _window(request))
    return Response(content, media_type="image/jpeg")


def _range(request: Request) -> Response:
    """Say what the window of an image can be."""
    found = _frames(request).window(*_stored_image(request))
    return JSONResponse({} if found is None else dataclasses.asdict(found))


def _overlay(request: Request) -> Response:
    node, study_id = node_of(request), _number(request, "study")
    note.accessed(node, study_id, _LOOK)
    with node.database.read() as session:
        stored = viewing.shown_results(session, study_id)
    wanted = _number(request, "result")
    path = next((result.path for result, _ in stored if result.id == wanted), None)
    if path is None:
        raise missing("there is no such result")
    content = overlay(node.spool.path_of(path), _number(request, "frame"))
    return Response(content, media_type="image/png")


def _patient(request: Request) -> Response:
    """Say whose study it is, or whose it may be."""
    study_id = _number(request, "study")
    found = show_patients(node_of(request), str(study_id))
    patients = [
        (number, [(SHOWN[keyword], value) for keyword, value in one.items()])
        for number, one in found.items()
    ]
    return page(request, "patient.html", study=study_id, patients=patients)


def _number(request: Request, name: str) -> int:
    """Return a number of the path that both databases accept."""
    number: int = request.path_params[name]
    if number > _LARGEST:
        raise missing(f"there is no such {name}")
    return number


def _stored_image(request: Request) -> tuple[Path, int]:
    node, study_id = node_of(request), _number(request, "study")
    note.accessed(node, study_id, _LOOK)
    with node.database.read() as session:
        row = viewing.stored_instance(session, study_id, _number(request, "instance"))
    if row is None:
        raise missing("there is no such image")
    return node.spool.path_of(row.path), _number(request, "frame")


def _window(request: Request) -> Window | None:
    given = [request.query_params.get(name) for name in ("centre", "width")]
    if given == [None, None]:
        return None
    try:
        centre, width = (float(one or "") for one in given)
    except ValueError:
        raise BadRequest("centre and width are numbers") from None
    window = Window(centre, width, "LINEAR_EXACT")
    if not window.usable:
        raise BadRequest("a window has a width above 0")
    return window


def _frames(request: Request) -> RecentFrames:
    frames: RecentFrames = request.app.state.frames
    return frames


def _route(path: str, make: Callable[[Request], Response]) -> Route:
    """Make a route whose answers are made a few at a time: the other views do not wait for them."""

    def guarded(request: Request) -> Response:
        try:
            return make(request)
        except (UnsupportedPixels, NotDicom) as error:
            raise HTTPException(_NOT_FOUND, error.message) from None

    async def in_turn(request: Request) -> Response:
        limiter = request.app.state.picture_limiter
        return await anyio.to_thread.run_sync(guarded, request, limiter=limiter)

    return route(f"/studies/{path}", in_turn, role=Role.OPERATOR, from_this_machine=True)


ROUTES = (
    _route("{study:int}/images", _show),
    _route("{study:int}/patient", _patient),
    _route("{study:int}/images/{instance:int}/{frame:int}", _image),
    _route("{study:int}/images/{instance:int}/{frame:int}/window", _range),
    _route("{study:int}/overlays/{result:int}/{frame:int}", _overlay),
)
