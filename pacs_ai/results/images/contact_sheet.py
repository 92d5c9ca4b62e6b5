"""The contact sheet: the images of a study that matter most, on one picture."""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from pacs_ai.dicom.pixel_spacing import pixel_aspect
from pacs_ai.dicom.reading import text
from pacs_ai.domain import ImagePrediction, ResultKind, StudyPrediction
from pacs_ai.results.common.codes import class_title
from pacs_ai.results.common.object_header import ObjectHeader, copy_body_part
from pacs_ai.results.content.selection import ShownClass, contact_images, explains
from pacs_ai.results.content.study import AnalysedStudy
from pacs_ai.results.images.legend import sheet_legend, tile_lines
from pacs_ai.results.images.lettering import Legend
from pacs_ai.results.images.overlay import FAINT, STRENGTH, draw
from pacs_ai.results.images.picture_geometry import patient_orientation, size_fitting
from pacs_ai.results.images.secondary_capture import (
    MAX_DERIVATION,
    copy_compression,
    new_picture,
    put_pixels,
    source_items,
)
from pacs_ai.results.images.tile_grid import Tile, TileGrid, draw_sheet, grid_of

_NOTHING_WRITTEN = Legend((), bar=False)
_BODY_PART = ("BodyPartExamined", "Laterality", "ImageLaterality")


def build_contact_sheet(study: AnalysedStudy) -> Iterator[Dataset]:
    """Make the contact sheet of a study: one picture of up to nine images.

    Notes
    -----
    The sheet is about the study: it says what the model says of it, and how many images there are.
    Another image, or one less, therefore makes another object.
    """
    prediction, evidence = study.prediction, study.evidence
    tiles = contact_images(prediction)
    images = [prediction.images[one.image] for one in tiles]
    sources = [evidence.source(image.header) for image in images]
    sheet = new_picture(study, _header(study, tiles))
    painted = any(_explained(prediction, one) for one in tiles)
    legend = sheet_legend(prediction, tiles, bar=painted)
    shape = images[0].header.rows, images[0].header.columns
    grid = grid_of(len(tiles), shape, pixel_aspect(sources[0], images[0].frame), legend)
    put_pixels(sheet, draw_sheet(_tiles(study, tiles, grid), grid, legend))
    sheet.DerivationDescription = _derivation(prediction, tiles, painted=painted)
    sheet.SourceImageSequence = source_items(images, in_place=False)
    copy_body_part(_common(sources, _BODY_PART), sheet)
    sheet.PatientOrientation = _orientation(images, sources)
    headers = [image.header for image in images]
    copy_compression(list(zip(sources, headers, strict=True)), sheet)
    yield sheet


def _header(study: AnalysedStudy, tiles: Sequence[ShownClass]) -> ObjectHeader:
    return ObjectHeader(
        sop_class_uid=SecondaryCaptureImageStorage,
        modality="OT",
        role=ResultKind.CONTACT_SHEET,
        series_number=study.context.series_number(ResultKind.CONTACT_SHEET),
        series_description="AI contact sheet (research)",
        instance_number=1,
        instance_key=(
            *(part for one in tiles for part in _key(study.prediction, one)),
            *study.evidence.instance_key,
            *study.results.picture_key,
        ),
    )


def _key(prediction: StudyPrediction, tile: ShownClass) -> tuple[str, ...]:
    image = prediction.images[tile.image]
    code = prediction.model.classes[tile.class_index].code.value
    return (image.header.sop_instance_uid, str(image.frame), code)


def _explained(prediction: StudyPrediction, tile: ShownClass) -> bool:
    return explains(prediction.images[tile.image].saliency[tile.class_index])


def _tiles(study: AnalysedStudy, tiles: Sequence[ShownClass], grid: TileGrid) -> Iterator[Tile]:
    """Draw one tile after the other, so that one image alone is in memory."""
    prediction = study.prediction
    series = {prediction.images[one.image].header.series_instance_uid for one in tiles}
    for one in tiles:
        image = prediction.images[one.image]
        heat = image.saliency[one.class_index] if _explained(prediction, one) else None
        aspect = pixel_aspect(study.evidence.source(image.header), image.frame)
        size = size_fitting((image.header.rows, image.header.columns), aspect, grid.size)
        strength = STRENGTH if one.found else FAINT
        drawn = draw(study.shown(image), heat, _NOTHING_WRITTEN, size, strength)
        yield Tile(drawn, tile_lines(prediction, one, series=len(series) > 1))


def _derivation(prediction: StudyPrediction, tiles: Sequence[ShownClass], *, painted: bool) -> str:
    model, remark = prediction.model, prediction.coverage.remark
    ending = f"; of the study {remark}" if remark else ""
    seen = len({one.image for one in tiles})
    what = f"Contact sheet of {seen} of {len(prediction.images)} analysed images, as tiles"
    by = f"model {model.name} version {model.version}"
    if not painted:  # the reason comes last: what is said of the study is never cut off
        reason = model.unexplained or "Grad-CAM explains nothing"
        return f"{what} without heat map: {by}{ending}; {reason}"[:MAX_DERIVATION]
    named = dict.fromkeys(class_title(model.classes[one.class_index]) for one in tiles)
    beginning = (
        f"{what}: Grad-CAM of {by}, blended over each displayed image with an opacity of "
        f"{STRENGTH:g} times the map where the class is present, else {FAINT:g}; text burned in"
        f"{ending}; class "
    )
    return (beginning + ", ".join(named))[:MAX_DERIVATION]


def _common(sources: Sequence[Dataset], keywords: Sequence[str]) -> Dataset:
    """Return what all sources say alike, of what any of them says."""
    said = Dataset()
    for keyword in keywords:
        if len({text(source, keyword) for source in sources}) == 1 and keyword in sources[0]:
            said[keyword] = sources[0][keyword]
    return said


def _orientation(images: Sequence[ImagePrediction], sources: Sequence[Dataset]) -> list[str] | str:
    """Return the direction of rows and columns if it is that of all tiles, else none."""
    found = [
        patient_orientation(source, image.frame)
        for image, source in zip(images, sources, strict=True)
    ]
    return found[0] if all(one == found[0] for one in found) else ""
