"""Rules for places in measurement reports: points, lines and outlines."""

from collections.abc import Iterator

from pydicom.dataset import Dataset

from pacs_ai.air.content import children, concept, group_name, groups, tree
from pacs_ai.air.objects import Kind, ResultObject
from pacs_ai.air.rule import Level, object_rule
from pacs_ai.dicom.reading import numbers, text

_PLANAR, _SPATIAL = "SCOORD", "SCOORD3D"
_SHAPES = {
    "POINT": (1, 1),
    "MULTIPOINT": (1, None),
    "POLYLINE": (2, None),
    "POLYGON": (4, None),
    "CIRCLE": (2, 2),
    "ELLIPSE": (4, 4),
    "ELLIPSOID": (6, 6),
}
"""Fewest and most points of a graphic type (PS3.3 Sections C.18.6.1.2 and C.18.9.1.2)."""


def places(report: Dataset) -> list[Dataset]:
    """Content items of a report with coordinates on an image."""
    return [item for item in tree(report) if text(item, "ValueType") == _PLANAR]


def _all_places(one: ResultObject) -> list[Dataset]:
    return [item for item in tree(one.dataset) if text(item, "ValueType") in (_PLANAR, _SPATIAL)]


def _has_places(one: ResultObject) -> bool:
    return bool(_all_places(one))


@object_rule(
    Level.REQUIRED,
    Kind.REPORT,
    source="AIR 6.5.3.4; PS3.16 TID 1410, TID 1411, TID 1501",
    when=_has_places,
)
def place_named(one: ResultObject) -> Iterator[str]:
    """Call a place of a finding (111030, DCM, "Image Region"), and nothing else."""
    for number, group in enumerate(groups(one.dataset), start=1):
        for kind in (_PLANAR, _SPATIAL):
            if any(concept(item) is None for item in children(group, value_type=kind)):
                yield f"coordinates of group {group_name(group, number)} have no concept name"


@object_rule(
    Level.REQUIRED,
    Kind.REPORT,
    source="PS3.3 C.18.6.1",
    when=lambda one: bool(places(one.dataset)),
)
def place_on_image(one: ResultObject) -> Iterator[str]:
    """Select coordinates from an image."""
    lost = sum(
        not any(text(item, "RelationshipType") == "SELECTED FROM" for item in children(place))
        for place in places(one.dataset)
    )
    if lost:
        yield f"{lost} of {len(places(one.dataset))} coordinates are selected from no image"


@object_rule(Level.REQUIRED, Kind.REPORT, source="PS3.3 C.18.6.1.2, C.18.9.1.2", when=_has_places)
def place_shaped(one: ResultObject) -> Iterator[str]:
    """Give coordinates as many points as their graphic type needs."""
    for place in _all_places(one):
        graphic = text(place, "GraphicType")
        axes = 2 if text(place, "ValueType") == _PLANAR else 3
        points, rest = divmod(len(numbers(place, "GraphicData")), axes)
        fewest, most = _SHAPES.get(graphic, (0, 0))
        if rest or points < fewest or (most is not None and points > most):
            yield f"{graphic or 'a graphic without a type'} with {points} points"


RULES = (place_named, place_on_image, place_shaped)
