"""What a phantom's anatomy is to the scanner: shapes, noise, and regions that can hold a lesion."""

import hashlib
from dataclasses import dataclass

import numpy as np

from pacs_ai.phantom.shapes import Ellipsoid, Floats, Grid, paint, smooth_field

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Scene:
    """One phantom's anatomy, in Hounsfield units or as signal in [0, 1].

    ``sites`` are regions in which a lesion may lie; ``lesion_values`` the ranges its value is
    drawn from, ``lesion_adds`` whether it is added to what lies beneath. ``window`` is (centre,
    width). ``noise`` is a standard deviation, ``texture`` the amplitude of fine tissue structure
    and ``shading`` that of a slow multiplicative field.
    """

    body_part: str
    description: str
    shapes: tuple[Ellipsoid, ...]
    sites: tuple[Ellipsoid, ...]
    lesion_values: tuple[tuple[float, float], ...]
    lesion_radius: tuple[float, float]
    background: float
    window: tuple[float, float]
    noise: float
    texture: float
    shading: float = 0.0
    lesion_adds: bool = False
    rician: bool = False

    def render(self, rng: Rng, grid: Grid, z: float) -> Floats:
        """Draw the tissue of the slice at depth ``z``, without noise."""
        canvas = np.full((grid.rows, grid.columns), self.background, dtype=np.float64)
        for shape in self.shapes:
            paint(canvas, grid, shape, z)
        canvas += self.texture * smooth_field(rng, grid.rows, grid.columns, 24)
        canvas += self.texture * smooth_field(rng, grid.rows, grid.columns, 9)
        return canvas

    def finish(self, rng: Rng, canvas: Floats) -> Floats:
        """Add what the scanner adds: shading and noise."""
        rows, columns = canvas.shape
        shaded = canvas * (1 + self.shading * smooth_field(rng, rows, columns, 3))
        real = shaded + self.noise * rng.standard_normal((rows, columns))
        if not self.rician:
            return real
        imaginary = self.noise * rng.standard_normal((rows, columns))
        magnitude: Floats = np.hypot(real, imaginary)
        return magnitude


def seeded(name: str, seed: int) -> Rng:
    """Return a random generator that depends on a name and a seed only."""
    digest = hashlib.sha256(f"phantom|{name}|{seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def chance(rng: Rng, share: float) -> bool:
    """Say yes in a given share of the cases, in [0, 1]."""
    return bool(rng.uniform() < share)


def vessels(rng: Rng, site: Ellipsoid, count: int, value: float) -> list[Ellipsoid]:
    """Draw vessels of a region: dots where they cross the slice, streaks where they lie in it."""
    drawn = []
    for _ in range(count):
        turn, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1)) * 0.95
        thin = rng.uniform(0.008, 0.022)
        drawn.append(
            Ellipsoid(
                x=site.x + far * site.rx * np.cos(turn),
                y=site.y + far * site.ry * np.sin(turn),
                z=rng.uniform(-0.6, 0.6),
                rx=thin * rng.choice([1.0, 1.0, rng.uniform(3, 6)]),
                ry=thin,
                rz=rng.uniform(0.2, 0.9),
                angle=rng.uniform(0, np.pi),
                value=value,
                edge=0.25,
            )
        )
    return drawn


def draw_lesion(rng: Rng, scene: Scene, z: float, reach: float) -> Ellipsoid:
    """Place a lesion in one of the regions of a scene that can hold one.

    Parameters
    ----------
    rng
        Source of chance.
    scene
        The anatomy.
    z
        Depth of the slice through its middle.
    reach
        Half its extent along z; `anatomy.EVERYWHERE` in a projection.
    """
    site = scene.sites[int(rng.integers(len(scene.sites)))]
    turn, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1))
    radius = rng.uniform(*scene.lesion_radius)
    low, high = scene.lesion_values[int(rng.integers(len(scene.lesion_values)))]
    return Ellipsoid(
        x=site.x + far * site.rx * np.cos(turn),
        y=site.y + far * site.ry * np.sin(turn),
        z=z,
        rx=radius,
        ry=radius * rng.uniform(0.75, 1.0),
        rz=reach,
        angle=rng.uniform(0, np.pi),
        value=rng.uniform(low, high),
        edge=rng.uniform(0.05, 0.12),
        add=scene.lesion_adds,
        wobble=tuple((rng.uniform(0, 0.07), rng.uniform(0, 6.28)) for _ in range(4)),
    )
