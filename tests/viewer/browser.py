"""What a person sees of studies in OHIF: pictures of the page, and the text on them."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import numpy.typing as npt

_START_SECONDS, _SHOT_SECONDS = 60, 180
"""Of the browser, and of one shot: look.mjs waits up to 120 s for a page, 20 s for each step."""
_LIT = 24  # levels above black
_COLOURED = 25  # levels between the strongest and the weakest channel


@dataclass(frozen=True)
class Label:
    """A text drawn on the image, and its place on the page."""

    text: str
    x: float
    y: float
    width: float
    height: float

    def meets(self, other: "Label") -> bool:
        return (
            abs(2 * self.x + self.width - 2 * other.x - other.width) < self.width + other.width
            and abs(2 * self.y + self.height - 2 * other.y - other.height)
            < self.height + other.height
        )


@dataclass(frozen=True)
class Shot:
    """One series of a study in the viewer.

    ``pane`` is where its picture lies on the page; ``listed`` are the series that it offers.
    """

    study: str
    series: str | None
    file: Path
    pane: Label
    labels: tuple[Label, ...]
    text: str
    listed: tuple[str, ...]
    notices: tuple[str, ...]
    errors: tuple[str, ...]
    failed: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """The labels from top to bottom."""
        return [label.text for label in sorted(self.labels, key=lambda label: label.y)]

    def pixels(self) -> npt.NDArray[np.int_]:
        """The middle of the pane, where no text of the viewer's own stands: (h, w, 3), 0 to 255."""
        page = matplotlib.image.imread(self.file)[..., :3]
        x, y, w, h = (
            round(v) for v in (self.pane.x, self.pane.y, self.pane.width, self.pane.height)
        )
        middle = page[y + h // 5 : y + h - h // 5, x + w // 5 : x + w - w // 5]
        return np.rint(255 * middle).astype(int)

    def lit(self) -> float:
        """Share of pixels that are not black."""
        return float((self.pixels().max(axis=2) > _LIT).mean())

    def levels(self) -> int:
        """Number of different colours."""
        return len(np.unique(self.pixels().reshape(-1, 3), axis=0))

    def coloured(self) -> float:
        """Share of pixels of a strong colour."""
        return float((np.ptp(self.pixels(), axis=2) > _COLOURED).mean())


@dataclass(frozen=True)
class Seen:
    """Shots of each study, the text of the list of studies, and the origin of every request."""

    shots: dict[str, list[Shot]]
    studies: str
    asked: frozenset[str]


Wanted = Mapping[str, tuple[str, Sequence[str | None]]]
"""Studies by name: each a UID and its series."""


@dataclass(frozen=True)
class Browser:
    """Chromium with its remote control, pointed at a viewer."""

    node: Path
    playwright: Path
    chromium: Path
    viewer: str
    out: Path

    def look(self, wanted: Wanted) -> dict[str, list[Shot]]:
        """Open studies; gives the shots of each."""
        return self.see(wanted, studies=False).shots

    def see(self, wanted: Wanted, *, studies: bool = True) -> Seen:
        """Open studies, and before them the list of studies; gives all that was seen."""
        plan = {
            "viewer": self.viewer,
            "playwright": str(self.playwright.resolve()),
            "chromium": str(self.chromium),
            "out": str(self.out.resolve()),
            "list": studies,
            "studies": [
                {"name": name, "uid": uid, "series": series}
                for name, (uid, series) in wanted.items()
            ],
        }
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / "plan.json"
        path.write_text(json.dumps(plan))
        script = Path(__file__).with_name("look.mjs")
        number = studies + sum(len(series) for _, series in wanted.values())
        seconds = _START_SECONDS + _SHOT_SECONDS * number
        done = subprocess.run(
            [self.node, script, path], capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        answer = json.loads(done.stdout)
        shots: dict[str, list[Shot]] = {name: [] for name in wanted}
        for one in answer["shots"]:
            shots[one["study"]].append(_shot(one))
        return Seen(shots, answer["list"], frozenset(answer["asked"]))


def _shot(one: dict[str, Any]) -> Shot:
    return Shot(
        one["study"],
        one["series"],
        Path(one["file"]),
        Label("", **one["pane"]),
        tuple(Label(**label) for label in one["labels"]),
        one["text"],
        tuple(one["listed"]),
        tuple(one["notices"]),
        tuple(one["errors"]),
        tuple(one["failed"]),
    )
