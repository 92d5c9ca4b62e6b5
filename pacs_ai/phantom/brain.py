"""A phantom brain for MR, as signal in [0, 1]."""

from pacs_ai.phantom.scene import Rng, Scene, chance, vessels
from pacs_ai.phantom.shapes import Ellipsoid


def _head(rng: Rng, rx: float, ry: float, white: float, grey: float) -> list[Ellipsoid]:
    """Make scalp, skull, folded cortex and white matter."""
    folds = tuple((rng.uniform(0.01, 0.03), rng.uniform(0, 6)) for _ in range(9))
    return [
        Ellipsoid(0, 0, rx * 1.12, ry * 1.1, rng.uniform(0.6, 1.0), rz=2.2, edge=0.02),
        Ellipsoid(0, 0, rx * 1.05, ry * 1.04, 0.06, rz=2.2, edge=0.02),
        Ellipsoid(0, 0, rx, ry, grey, rz=2.0, edge=0.02),
        Ellipsoid(0, 0, rx * 0.84, ry * 0.86, white, rz=1.9, edge=0.06, wobble=folds),
    ]


def _inner(rng: Rng, ry: float, grey: float, fluid: float) -> list[Ellipsoid]:
    """Make the midline and, in pairs, nuclei, ventricles and eyes."""
    wide, tall, lean = rng.uniform(0.05, 0.09), rng.uniform(0.2, 0.3), rng.uniform(0.1, 0.35)
    shapes = [Ellipsoid(0, 0, 0.012, ry * 0.8, fluid, edge=0.1)]
    for side in (-1, 1):
        tilt = -side * lean
        shapes += [
            Ellipsoid(side * 0.26, 0.02, 0.09, 0.16, grey, rz=0.8, angle=side * 0.3, edge=0.1),
            Ellipsoid(side * 0.13, 0.02, wide, tall, fluid, z=0.2, rz=0.9, angle=tilt, edge=0.1),
            Ellipsoid(side * 0.3, -ry * 0.92, 0.13, 0.13, fluid, z=-1.0, rz=0.6, edge=0.06),
        ]
    return shapes


def mr_brain(rng: Rng) -> Scene:
    """Brain MR of a random contrast: a bright or dark lesion off the midline."""
    rx, ry = rng.uniform(0.58, 0.7), rng.uniform(0.74, 0.86)
    white, grey = rng.uniform(0.4, 0.55), rng.uniform(0.3, 0.6)
    fluid = rng.uniform(0.05, 0.2) if chance(rng, 0.5) else rng.uniform(0.75, 0.95)
    sites = tuple(
        Ellipsoid(side * 0.6 * rx, rng.uniform(-0.05, 0.05), 0.2 * rx, 0.52 * ry, 0)
        for side in (-1, 1)
    )
    shapes = [*_head(rng, rx, ry, white, grey), *_inner(rng, ry, grey, fluid)]
    for site in sites:
        shapes += vessels(rng, site, 3, rng.uniform(0.05, 0.9))
    bright, dark = max(white, grey), min(white, grey)
    return Scene(
        body_part="HEAD",
        description="Phantom brain",
        shapes=tuple(shapes),
        sites=sites,
        lesion_values=((bright + 0.28, bright + 0.45), (0.02, dark - 0.22)),
        lesion_radius=(0.075, 0.15),
        background=0.0,
        window=(rng.uniform(0.42, 0.55), rng.uniform(0.9, 1.1)),
        noise=rng.uniform(0.015, 0.05),
        texture=rng.uniform(0.01, 0.025),
        shading=rng.uniform(0.03, 0.12),
        rician=True,
    )
