"""A run: one folder that holds all that one training made, and knows how far it got.

::

    recipe.toml           the recipe as it was followed, flags included
    run.json              seed, versions of all that computes, steps done and what they said
    log.txt               what was said, with times
    dataset.json          which images were in which split (keys, no patients)
    best.weights.npz      the best network
    train.checkpoint.npz  the newest state of a step that takes long
    history.csv  tensorboard/  plots/  evaluation/  explain/  bundle/

A step is done when ``run.json`` says so, and that is written last: a run that was killed at any
moment is continued from the last thing that was whole.
"""

import json
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from rich.console import Console

from pacs_ai import __version__
from pacs_ai.errors import ConfigError
from training.recipe.recipe import Recipe, load_recipe
from training.recipe.toml import dumps
from training.run.disk import made, write_whole

RECIPE, STATE = "recipe.toml", "run.json"
STEPS = ("download", "dataset", "train", "finetune", "evaluate", "explain", "export")

_COMPUTES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "pydicom", "onnx")


class Run:
    """One run; see the module. Made by `create`, `open` or `start`.

    Parameters
    ----------
    folder
        Where it lives.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.console = Console(stderr=True)
        self.recipe = load_recipe(folder / RECIPE)
        self._state: dict[str, object] = _read(folder / STATE)

    @classmethod
    def create(cls, recipe: Recipe, folder: Path) -> Self:
        """Begin a run in a folder that holds none.

        Raises
        ------
        ConfigError
            If a run is there already.
        StorageError
            If the folder cannot be written.
        """
        if (folder / STATE).exists():
            raise ConfigError(
                f"{folder} holds a run already: --resume continues it, --out names another folder"
            )
        state = {
            "seed": recipe.optimisation.seed,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": _versions(),
            "steps": {},
        }
        made(folder)
        written = recipe.model_dump(mode="json", exclude_none=True)
        write_whole(folder / RECIPE, dumps(written))
        write_whole(folder / STATE, json.dumps(state, indent=1))
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a run.

        Raises
        ------
        ConfigError
            If there is none.
        """
        if not (folder / STATE).is_file():
            raise ConfigError(f"no run in {folder}: {STATE} is missing")
        return cls(folder)

    @classmethod
    def start(cls, recipe: Recipe, folder: Path, *, resume: bool) -> Self:
        """Create a run, or continue the one that is there and followed the same recipe.

        Raises
        ------
        ConfigError
            If a run is there and it is not to be continued, or follows another recipe.
        """
        if not (resume and (folder / STATE).is_file()):
            return cls.create(recipe, folder)
        run = cls(folder)
        if run.recipe != recipe:
            changed = [name for name, value in recipe if value != getattr(run.recipe, name)]
            raise ConfigError(
                f"the run in {folder} followed another recipe ({', '.join(changed)} differ): "
                "give the same recipe and flags, or another --out"
            )
        return run

    def done(self, step: str) -> bool:
        """Say whether a step was finished."""
        return step in self._steps

    def summary(self, step: str) -> dict[str, object]:
        """Return what a finished step said, {} if it is not finished."""
        found = self._steps.get(step, {}).get("summary", {})
        return dict(found) if isinstance(found, Mapping) else {}

    def finish(self, step: str, summary: Mapping[str, object], seconds: float) -> None:
        """Write down that a step is finished, and what it found."""
        self._steps[step] = {"seconds": round(seconds, 1), "summary": dict(summary)}
        write_whole(self.folder / STATE, json.dumps(self._state, indent=1))

    def forget(self, *steps: str) -> None:
        """Take back that steps were finished: something below them changed."""
        for step in steps:
            self._steps.pop(step, None)
        write_whole(self.folder / STATE, json.dumps(self._state, indent=1))

    def alter(self, **sections: object) -> None:
        """Change sections of the recipe that is followed, and take back what came after them."""
        self.recipe = self.recipe.model_copy(update=sections)
        written = self.recipe.model_dump(mode="json", exclude_none=True)
        self.forget(*STEPS[STEPS.index("finetune") :])
        write_whole(self.folder / RECIPE, dumps(written))

    def log(self, text: str) -> None:
        """Say something to the person who waits, and keep it."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        line = f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n"
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(line)

    def report(self) -> dict[str, object]:
        """Return the whole story of the run, for ``--json``."""
        return {"run": str(self.folder), **self._state}

    @property
    def seed(self) -> int:
        """Source of all chance of the run."""
        return self.recipe.optimisation.seed

    @property
    def _steps(self) -> dict[str, dict[str, object]]:
        steps = self._state["steps"]
        assert isinstance(steps, dict)  # noqa: S101 - `create` wrote it so
        return steps

    @property
    def best(self) -> Path:
        """Weights of the best network."""
        return self.folder / "best.weights.npz"

    def checkpoint(self, step: str) -> Path:
        """State of a step that is not finished."""
        return self.folder / f"{step}.checkpoint.npz"

    @property
    def history(self) -> Path:
        """Losses and figures, a row an epoch."""
        return self.folder / "history.csv"

    @property
    def plots(self) -> Path:
        """Folder of pictures; made when asked for."""
        return self._made("plots")

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's logs; made when asked for."""
        return self._made("tensorboard")

    @property
    def evaluation(self) -> Path:
        """Folder of the evaluation; made when asked for."""
        return self._made("evaluation")

    @property
    def explain(self) -> Path:
        """Folder of explanations; made when asked for."""
        return self._made("explain")

    @property
    def cache(self) -> Path:
        """Folder of what can be computed again; made when asked for."""
        return self._made("cache")

    @property
    def bundle(self) -> Path:
        """Folder of the bundle."""
        return self.folder / "bundle"

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it runs."""
        return time.monotonic() - self._start


def _read(path: Path) -> dict[str, object]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: the folder holds no whole run") from error
    assert isinstance(state, dict)  # noqa: S101 - `create` wrote it so
    return state


def _versions() -> dict[str, str]:
    found = {"pacs-ai": __version__, "python": platform.python_version()}
    for name in _COMPUTES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    found["machine"] = f"{platform.system()} {platform.machine()}"
    return found
