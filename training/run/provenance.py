"""What a result of a run was made from: weights, split and recipe, as hashes.

`Run.provenance` makes the record of a step. Each result carries it under `KEY`: ``run.json`` for
each finished step, ``calibration.json``, ``figures.json``, ``explain.json``, ``parity.json``,
``metrics.json`` and ``MODEL_CARD.md`` of a bundle, and ``quantise.json``. `training.run.checks`
compares it with the run as it is now: a later step never uses a result of other
weights, of another split, or of another recipe.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

KEY = "provenance"
WEIGHTS, SPLIT = "best.weights.npz", "split.csv"

_READS: Mapping[str, Sequence[str]] = {
    "download": (),
    "dataset": ("limit", "data", "split", "input", "release.activation", "classes"),
    "train": ("augmentation", "feeding", "network", "optimisation"),
    "finetune": ("finetune",),
    "evaluate": ("evaluation", "release.aggregation"),
    "explain": ("explanation",),
    "export": ("export", "card", "release", "classes.code"),
}
"""The parts of the recipe that each step reads first; it also reads those of the steps above."""

STEPS = tuple(_READS)
"""The steps of a run, in order."""

_PLACES = frozenset({"folder", "file", "manifest", "boxes", "server", "archive"})
"""Keys of ``data`` that say where files lie. They may move: the split has the hash of each."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a result was made from.

    ``weights`` is the SHA-256 of ``best.weights.npz``, ``split`` that of ``split.csv``, or of those
    of all folds of a cross-validation; "" if there is no such file, or the result does not depend
    on it. ``recipe`` has the SHA-256 of each part of
    the recipe that was read, as JSON with sorted keys.
    """

    weights: str
    split: str
    recipe: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path, written: Mapping[str, Any], step: str) -> Self:
        """Make the record of a step.

        Parameters
        ----------
        folder
            The folder of the run.
        written
            The content of its ``recipe.toml``.
        step
            The step.
        """
        place, parts = STEPS.index(step), _parts(written)
        names = [name for each in STEPS[: place + 1] for name in _READS[each]]
        return cls(
            weights=_digest_of(folder, WEIGHTS) if place >= STEPS.index("train") else "",
            split=_digest_of(folder, SPLIT) if place >= STEPS.index("dataset") else "",
            recipe={name: _digest(parts[name]) for name in names},
        )

    @classmethod
    def read(cls, values: object) -> Self | None:
        """Read a record from a result; None if the result has none, or it is not whole."""
        try:
            return cls(**values[KEY])  # type: ignore[index]
        except (KeyError, TypeError):
            return None

    def to_dict(self) -> dict[str, object]:
        """Return values for JSON."""
        return {KEY: asdict(self) | {"recipe": dict(self.recipe)}}

    def differences(self, now: "Provenance", *, weights: bool = True) -> list[str]:
        """Name what differs: ``the weights``, ``the split``, ``[evaluation] of the recipe``."""
        named = ["the weights"] if weights and self.weights != now.weights else []
        named += ["the split"] if self.split != now.split else []
        parts = [name for name, digest in now.recipe.items() if self.recipe.get(name) != digest]
        return named + ([f"{', '.join(f'[{name}]' for name in parts)} of the recipe"] * bool(parts))

    def lines(self) -> list[str]:
        """Return the record for people, a line for each of weights, split and recipe."""
        whole = _digest(dict(self.recipe))
        named = (("weights", self.weights), ("split", self.split), ("recipe", whole))
        return [f"SHA-256 of the {name}: {value}" for name, value in named if value]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, "" if there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of(folder: Path, name: str) -> str:
    """Return the SHA-256 of a file of a run; of its folds, that of their hashes in order."""
    if own := file_digest(folder / name):
        return own
    folds = [file_digest(path) for path in sorted(folder.glob(f"fold-*/{name}"))]
    return _digest(folds) if folds else ""


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _parts(written: Mapping[str, Any]) -> dict[str, object]:
    """Divide a recipe into the parts that steps read."""
    release, classes = written.get("release", {}), written.get("classes", [])
    parts = {name: written.get(name) for names in _READS.values() for name in names}
    return parts | {
        "data": _without_places(written.get("data", {})),
        "release.activation": release.get("activation"),
        "release.aggregation": release.get("aggregation"),
        "classes": [[each.get("name"), each.get("positive")] for each in classes],
        "classes.code": classes,
    }


def _without_places(data: object) -> object:
    """Leave out where the files of the data lie; ``labels`` may be a path or a section."""
    if isinstance(data, list):
        return [_without_places(each) for each in data]
    if not isinstance(data, Mapping):
        return data
    return {
        key: _without_places(value)
        for key, value in data.items()
        if key not in _PLACES and not (key == "labels" and isinstance(value, str))
    }
