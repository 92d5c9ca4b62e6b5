"""Phantom torsos for CT: a chest and an abdomen, in Hounsfield units."""

import numpy as np

from pacs_ai.phantom.scene import Rng, Scene, chance, vessels
from pacs_ai.phantom.shapes import Ellipsoid

AIR, FAT, MUSCLE = -1000.0, -100.0, 45.0


def _ribs(rng: Rng, rx: float, ry: float) -> list[Ellipsoid]:
    """Cut ribs at random places of the wall of a torso."""
    return [
        Ellipsoid(
            x=0.89 * rx * np.cos(turn),
            y=0.89 * ry * np.sin(turn),
            z=rng.uniform(-0.6, 0.6),
            rx=rng.uniform(0.04, 0.1),
            ry=0.022,
            rz=rng.uniform(0.25, 0.7),
            angle=turn + np.pi / 2,
            value=rng.uniform(250, 500),
            edge=0.12,
        )
        for turn in rng.uniform(0, 2 * np.pi, 16)
    ]


def _trunk(rng: Rng) -> tuple[float, float, list[Ellipsoid]]:
    """Make fat, muscle, ribs and spine; return the half axes of the torso too."""
    rx, ry = rng.uniform(0.74, 0.9), rng.uniform(0.5, 0.66)
    lean = rng.uniform(0.86, 0.96)
    spine = ry * rng.uniform(0.55, 0.65)
    shapes = [
        Ellipsoid(0, 0, rx, ry, FAT, edge=0.02),
        Ellipsoid(0, 0, lean * rx, lean * ry, MUSCLE, edge=0.02),
        *_ribs(rng, lean * rx, lean * ry),
        Ellipsoid(0, spine, 0.12, 0.1, rng.uniform(250, 450), edge=0.06),
        Ellipsoid(0, spine + 0.13, 0.05, 0.05, 20, edge=0.1),
    ]
    return rx, ry, shapes


def _lungs(rng: Rng, rx: float, ry: float) -> tuple[list[Ellipsoid], tuple[Ellipsoid, ...]]:
    """Make lungs, vessels, heart and great vessels; return the lateral parts of the lungs too."""
    shapes, sites = [], []
    for side in (-1, 1):
        lung_rx, lung_ry = rng.uniform(0.36, 0.42) * rx, rng.uniform(0.7, 0.8) * ry
        x, y = side * 0.47 * rx, rng.uniform(-0.08, 0.0) * ry
        site = Ellipsoid(x + side * 0.12 * rx, y, 0.5 * lung_rx, 0.62 * lung_ry, 0)
        air = rng.uniform(-880, -800)
        shapes.append(Ellipsoid(x, y, lung_rx, lung_ry, air, rz=1.6, edge=0.03))
        shapes += vessels(rng, site, int(rng.integers(8, 22)), rng.uniform(-200, 40))
        sites.append(site)
    heart = rng.uniform(0.2, 0.28)
    shapes += [
        Ellipsoid(0.1, -0.12 * ry, heart, 0.85 * heart, 50, z=0.3, rz=1.2, angle=0.5),
        Ellipsoid(-0.03, -0.1 * ry, 0.14, 0.3 * ry, MUSCLE),
        Ellipsoid(0.09, 0.35 * ry, 0.055, 0.055, rng.uniform(45, 180)),
    ]
    return shapes, tuple(sites)


def ct_chest(rng: Rng) -> Scene:
    """Chest CT: a nodule in a lung; vessels, ribs and heart compete with it."""
    rx, ry, wall = _trunk(rng)
    organs, sites = _lungs(rng, rx, ry)
    window = (rng.uniform(30, 60), rng.uniform(350, 500))
    nodules: tuple[tuple[float, float], ...] = ((0.0, 90.0),)
    if chance(rng, 0.6):  # a lung window, in which subsolid nodules show as well
        window = (rng.uniform(-600, -450), rng.uniform(1300, 1700))
        nodules = ((-60.0, 80.0), (-420.0, -250.0))
    return Scene(
        body_part="CHEST",
        description="Phantom chest",
        shapes=(*wall, *organs),
        sites=sites,
        lesion_values=nodules,
        lesion_radius=(0.065, 0.13),
        background=AIR,
        window=window,
        noise=rng.uniform(8, 30),
        texture=rng.uniform(5, 15),
    )


def _bowel(rng: Rng, rx: float, ry: float) -> list[Ellipsoid]:
    """Make loops of bowel, most with gas in them."""
    loops = []
    for _ in range(int(rng.integers(2, 7))):
        x, y = rng.uniform(0.05, 0.6) * rx, rng.uniform(-0.6, 0.1) * ry
        wide = rng.uniform(0.05, 0.12)
        z = rng.uniform(-1, 1)
        loops.append(Ellipsoid(x, y, wide, 0.8 * wide, rng.uniform(0, 60), z=z, rz=1.2))
        if chance(rng, 0.6):
            loops.append(
                Ellipsoid(x, y - 0.02, 0.6 * wide, 0.4 * wide, -700, z=z, rz=1.1, edge=0.1)
            )
    return loops


def _organs(rng: Rng, rx: float, ry: float) -> list[Ellipsoid]:
    """Make kidneys, spleen and aorta: round, bright, and no lesions."""
    kidneys = [
        Ellipsoid(side * 0.42 * rx, 0.42 * ry, 0.12, 0.15, rng.uniform(120, 200), rz=1.1, edge=0.08)
        for side in (-1, 1)
    ]
    return [
        *kidneys,
        Ellipsoid(0.62 * rx, 0.1 * ry, 0.13, 0.16, rng.uniform(90, 120), rz=1.4),
        Ellipsoid(0.04, 0.33 * ry, 0.055, 0.055, rng.uniform(120, 220), edge=0.08),
    ]


def ct_abdomen(rng: Rng) -> Scene:
    """Abdominal CT: a lesion in the liver; kidneys, aorta and bowel gas compete with it."""
    rx, ry, wall = _trunk(rng)
    tissue = rng.uniform(85, 115)
    liver = Ellipsoid(
        x=-0.45 * rx,
        y=rng.uniform(-0.2, -0.1) * ry,
        rx=rng.uniform(0.4, 0.46) * rx,
        ry=rng.uniform(0.58, 0.68) * ry,
        rz=1.8,
        value=tissue,
        angle=rng.uniform(-0.2, 0.3),
        wobble=((0.08, rng.uniform(0, 6)), (0.06, rng.uniform(0, 6))),
    )
    site = Ellipsoid(liver.x - 0.02, liver.y, 0.55 * liver.rx, 0.55 * liver.ry, 0)
    veins = vessels(rng, site, int(rng.integers(3, 9)), tissue + rng.uniform(10, 40))
    return Scene(
        body_part="ABDOMEN",
        description="Phantom abdomen",
        shapes=(*wall, liver, *_bowel(rng, rx, ry), *_organs(rng, rx, ry), *veins),
        sites=(site,),
        lesion_values=((tissue - 75, tissue - 45), (tissue + 60, tissue + 90)),
        lesion_radius=(0.075, 0.15),
        background=AIR,
        window=(rng.uniform(40, 80), rng.uniform(300, 450)),
        noise=rng.uniform(6, 18),
        texture=rng.uniform(3, 8),
    )
