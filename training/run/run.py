"""A run: one folder with all files of one training, and the steps that are finished.

::

    recipe.toml           the recipe that was used, with the flags
    run.json              seed, versions of the libraries, finished steps and their summaries
    log.txt               log lines with times
    split.csv             the split: fixed when it is drawn, used by all later steps
    learned.npz           fingerprints of training and validation images
    dataset.json          counts, and which images are in which split (keys, no patients)
    best.weights.npz      the best network
    train.checkpoint.npz  the last state of a long step
    history.csv  tensorboard/  plots/  evaluation/  explain/  bundle/

A step is finished when ``run.json`` says so, and ``run.json`` is written last: a run that was
killed continues at the step that was not finished. ``run.json`` also has the hashes of what each
step was made from; see `training.run.provenance`.
"""

import json
import platform
import time
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from rich.console import Console

from pacs_ai import __version__
from pacs_ai.errors import ConfigError
from pacs_ai.files import atomic_write
from training.recipe.recipe import Recipe, load_recipe
from training.recipe.strict import Strict
from training.recipe.toml import dumps
from training.run.disk import make_folder
from training.run.provenance import SPLIT, STEPS, WEIGHTS, Provenance

RECIPE, STATE = "recipe.toml", "run.json"
_BEGUN = "begun"

_COMPUTES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "pydicom", "onnx")


class Run:
    """One run; see the module. Use `create`, `open` or `start`.

    Parameters
    ----------
    folder
        The folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.console = Console(stderr=True)
        self.recipe = load_recipe(folder / RECIPE)
        self._written = tomllib.loads((folder / RECIPE).read_text(encoding="utf-8"))
        self._state: dict[str, object] = _read(folder / STATE)

    @classmethod
    def create(cls, recipe: Recipe, folder: Path) -> Self:
        """Create a run in a folder without one.

        Raises
        ------
        ConfigError
            If the folder has a run already.
        StorageError
            If the folder cannot be written.
        """
        if (folder / STATE).exists():
            raise ConfigError(
                f"{folder} has a run already: --resume continues it, --out names another folder"
            )
        state = {
            "seed": recipe.optimisation.seed,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": _versions(),
            "steps": {},
        }
        make_folder(folder)
        written = recipe.model_dump(mode="json", exclude_none=True)
        atomic_write(folder / RECIPE, dumps(written))
        atomic_write(folder / STATE, json.dumps(state, indent=1))
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a run.

        Raises
        ------
        ConfigError
            If the folder has no run.
        """
        if not (folder / STATE).is_file():
            raise ConfigError(f"no run in {folder}: {STATE} is missing")
        return cls(folder)

    @classmethod
    def start(cls, recipe: Recipe, folder: Path, *, resume: bool) -> Self:
        """Create a run, or resume the one in the folder if its recipe is the same.

        Raises
        ------
        ConfigError
            If the folder has a run and ``resume`` is false, or its recipe differs.
        """
        if not (resume and (folder / STATE).is_file()):
            return cls.create(recipe, folder)
        run = cls(folder)
        if run.recipe != recipe:
            changed = [name for name, value in recipe if value != getattr(run.recipe, name)]
            raise ConfigError(
                f"the run in {folder} has another recipe ({', '.join(changed)} differ): "
                "give the same recipe and flags, or another --out"
            )
        return run

    def done(self, step: str) -> bool:
        """Tell whether a step is finished."""
        return step in self._steps

    def summary(self, step: str) -> dict[str, object]:
        """Return the summary of a finished step, {} if it is not finished."""
        found = self._steps.get(step, {}).get("summary", {})
        return dict(found) if isinstance(found, Mapping) else {}

    def provenance(self, step: str) -> Provenance:
        """Return the hashes of what a step is made from, as the run is now."""
        return Provenance.of(self.folder, self._written, step)

    def recorded(self, step: str) -> Provenance | None:
        """Return the hashes of what a finished step was made from.

        None if the step is not finished, or was finished by a version that did not record them.
        """
        return Provenance.read(self._steps.get(step))

    def begun(self, step: str) -> Provenance | None:
        """Return the hashes of what a step was begun with, None if it was not begun."""
        return Provenance.read(self._begun.get(step))

    def begin(self, step: str) -> None:
        """Mark a step as begun and not finished, and record what it is made from."""
        self._steps.pop(step, None)
        self._begun[step] = self.provenance(step).to_dict()
        self._save()

    def finish(self, step: str, summary: Mapping[str, object], seconds: float) -> None:
        """Mark a step as finished; save its summary, and what it was made from."""
        said = {"seconds": round(seconds, 1), "summary": dict(summary)}
        self._steps[step] = said | self.provenance(step).to_dict()
        self._begun.pop(step, None)
        self._save()

    def forget(self, *steps: str) -> None:
        """Mark steps as unfinished, because an earlier step has changed."""
        for step in steps:
            self._steps.pop(step, None)
        self._save()

    def alter(self, **sections: Strict) -> None:
        """Change sections of the recipe, and mark fine-tuning and all later steps as unfinished."""
        self.recipe = self.recipe.model_copy(update=sections)
        dumped = {
            name: section.model_dump(mode="json", exclude_none=True)
            for name, section in sections.items()
        }
        self._written = self._written | dumped
        self.forget(*STEPS[STEPS.index("finetune") :])
        atomic_write(self.folder / RECIPE, dumps(self._written))

    def log(self, text: str) -> None:
        """Print a line to standard error, and append it to ``log.txt``."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        line = f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n"
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(line)

    def report(self) -> dict[str, object]:
        """Return the content of ``run.json``, for ``--json``."""
        return {"run": str(self.folder), **self._state}

    @property
    def seed(self) -> int:
        """Random seed of the run."""
        return self.recipe.optimisation.seed

    def _save(self) -> None:
        atomic_write(self.folder / STATE, json.dumps(self._state, indent=1))

    @property
    def _steps(self) -> dict[str, dict[str, object]]:
        steps = self._state["steps"]
        assert isinstance(steps, dict)  # noqa: S101 - `create` wrote it so
        return steps

    @property
    def _begun(self) -> dict[str, dict[str, object]]:
        begun = self._state.setdefault(_BEGUN, {})
        assert isinstance(begun, dict)  # noqa: S101 - `begin` wrote it so
        return begun

    @property
    def split(self) -> Path:
        """File of the split, which later steps use as it is."""
        return self.folder / SPLIT

    @property
    def learned(self) -> Path:
        """File of the fingerprints of the training and validation images."""
        return self.folder / "learned.npz"

    @property
    def best(self) -> Path:
        """File of the best weights."""
        return self.folder / WEIGHTS

    def checkpoint(self, step: str) -> Path:
        """Return the file of the state of an unfinished step."""
        return self.folder / f"{step}.checkpoint.npz"

    @property
    def history(self) -> Path:
        """File with a row of metrics for each epoch."""
        return self.folder / "history.csv"

    @property
    def plots(self) -> Path:
        """Folder of plots, created if needed."""
        return self._made("plots")

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard logs, created if needed."""
        return self._made("tensorboard")

    @property
    def evaluation(self) -> Path:
        """Folder of the evaluation, created if needed."""
        return self._made("evaluation")

    @property
    def explain(self) -> Path:
        """Folder of the explanation."""
        return self.folder / "explain"

    @property
    def cache(self) -> Path:
        """Folder of files that can be computed again, created if needed."""
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
    """Measures the time since its creation."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since its creation."""
        return time.monotonic() - self._start


def _read(path: Path) -> dict[str, object]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: the folder has no complete run") from error
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
