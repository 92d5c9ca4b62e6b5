"""A phantom chest for radiographs, as density in [0, 1]: dense tissue is bright."""

import numpy as np

from pacs_ai.phantom.scene import Rng, Scene, chance, vessels
from pacs_ai.phantom.shapes import Ellipsoid


def _lung(rng: Rng, side: int) -> tuple[list[Ellipsoid], Ellipsoid]:
    """Make one lung with ribs, clavicle, hilum and vessels; return where a lesion may lie too."""
    x = side * rng.uniform(0.42, 0.46)
    rx, ry = rng.uniform(0.3, 0.36), rng.uniform(0.58, 0.7)
    site = Ellipsoid(x + side * 0.05, 0.0, 0.5 * rx, 0.62 * ry, 0)
    heights = np.linspace(-0.6, 0.6, int(rng.integers(7, 10))) + rng.uniform(-0.04, 0.04)
    tilt = side * 0.35
    ribs = [
        Ellipsoid(x, y, 0.4, 0.17, rng.uniform(0.05, 0.09), angle=tilt, ring=0.1, add=True)
        for y in heights
    ]
    streaks = [
        Ellipsoid(v.x, v.y, v.rx, v.ry, 0.07, angle=v.angle, edge=0.3, add=True)
        for v in vessels(rng, site, 8, 0.0)
    ]
    shapes = [
        Ellipsoid(x, 0, rx, ry, rng.uniform(0.2, 0.3), angle=side * 0.1, edge=0.05),
        *ribs,
        Ellipsoid(side * 0.4, -0.62, 0.36, 0.025, 0.12, angle=side * 0.2, edge=0.2, add=True),
        Ellipsoid(side * 0.2, 0.0, 0.07, 0.13, 0.1, angle=side * 0.4, edge=0.3, add=True),
        *streaks,
    ]
    return shapes, site


def _dense(rng: Rng) -> list[Ellipsoid]:
    """Make mediastinum, heart, diaphragm, and by chance electrodes and a side marker."""
    heart = rng.uniform(0.24, 0.34)
    electrodes = [
        Ellipsoid(rng.uniform(-0.7, 0.7), rng.uniform(-0.8, 0.8), 0.018, 0.018, 1.0, edge=0.1)
        for _ in range(int(rng.integers(0, 4)))
    ]
    marker = Ellipsoid(-0.9 if chance(rng, 0.5) else 0.9, -0.9, 0.03, 0.05, 1.0, edge=0.05)
    return [
        Ellipsoid(0, -0.1, 0.15, 0.8, 0.72, edge=0.12),
        Ellipsoid(0.14, 0.32, heart, 0.8 * heart, 0.74, angle=0.5, edge=0.08),
        Ellipsoid(-0.45, 0.8, 0.42, 0.28, 0.76, edge=0.06),
        Ellipsoid(0.45, 0.85, 0.42, 0.28, 0.74, edge=0.06),
        *electrodes,
        *([marker] if chance(rng, 0.5) else []),
    ]


def chest_film(rng: Rng) -> Scene:
    """Chest radiograph: a round opacity in a lung, often partly under a rib."""
    (right, right_site), (left, left_site) = _lung(rng, -1), _lung(rng, 1)
    body = [
        Ellipsoid(0, 0.9, 1.0, 1.75, rng.uniform(0.62, 0.72), edge=0.03),
        Ellipsoid(0, -0.95, 0.3, 0.5, 0.62, edge=0.1),
    ]
    return Scene(
        body_part="CHEST",
        description="Phantom chest PA",
        shapes=(*body, *right, *left, *_dense(rng)),
        sites=(right_site, left_site),
        lesion_values=((0.15, 0.3),),
        lesion_radius=(0.075, 0.14),
        lesion_adds=True,
        background=rng.uniform(0.02, 0.1),
        window=(rng.uniform(0.44, 0.52), rng.uniform(0.85, 1.0)),
        noise=rng.uniform(0.008, 0.025),
        texture=rng.uniform(0.006, 0.015),
        shading=rng.uniform(0.0, 0.06),
    )
