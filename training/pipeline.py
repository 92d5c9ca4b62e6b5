"""The pipeline of one run: download, dataset, train, finetune, evaluate, explain, export.

Each step returns a summary of a few values. A finished step is not done again, so a run that was
stopped continues at the first unfinished step. A step that was done with other weights, another
split or another recipe is repeated; training is not: it is refused then.
docs/training-walkthrough.md follows the steps.
"""

from collections.abc import Callable, Mapping
from functools import cached_property

import keras

from pacs_ai.errors import ConfigError
from training.bundle.export import export
from training.data import build_dataset
from training.data.contact_sheet import contact_sheet
from training.data.samples import Dataset
from training.download.step import download
from training.evaluate import evaluate
from training.evaluate.publish import calibration_of
from training.explain import explain
from training.learn.finetune import check_layers, discard_begun, finetune
from training.learn.train import load_network, load_served_network, train
from training.recipe.recipe import Recipe
from training.run.checks import changes, refuse_other_training, require_network
from training.run.disk import clear_disk_errors
from training.run.provenance import STEPS
from training.run.run import Run, Stopwatch

Summary = Mapping[str, object]

_LEARNS, _JUDGES = ("train", "finetune"), ("evaluate", "explain", "export")


def check_step(until: str | None) -> None:
    """Refuse what is not the name of a step.

    Raises
    ------
    ConfigError
        If it is none.
    """
    if until is not None and until not in STEPS:
        raise ConfigError(f"--until {until}: the steps are {', '.join(STEPS)}")


def run_pipeline(run: Run, until: str | None = None) -> None:
    """Do all unfinished steps of a run, up to and including ``until``.

    Raises
    ------
    ConfigError
        If ``until`` is not the name of a step.
    DataError
        If the recipe, the split or the weights have changed after training.
    """
    check_step(until)
    pipeline = Pipeline(run)
    for name in STEPS[: STEPS.index(until) + 1 if until is not None else len(STEPS)]:
        pipeline.run_step(name)


class Pipeline:
    """The steps of one run, and the dataset and network that they share.

    Parameters
    ----------
    run
        The run; its recipe has the settings.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._steps: Mapping[str, Callable[[], Summary]] = {
            "download": self._download,
            "dataset": self._dataset,
            "train": self._train,
            "finetune": self._finetune,
            "evaluate": self._evaluate,
            "explain": self._explain,
            "export": self._export,
        }

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run."""
        return self.run.recipe

    def run_step(self, name: str) -> None:
        """Do one step, unless it is finished and fits the run as it is now.

        Raises
        ------
        DataError
            If the recipe, the split or the weights have changed after training.
        """
        if self._still_fits(name):
            self.run.log(f"{name}: already done")
            return
        if name in _LEARNS:
            self._begin(name)
        elif name in _JUDGES:
            require_network(self.run, finished=True)
        watch = Stopwatch()
        with clear_disk_errors(self.run.folder):
            summary = self._steps[name]()
        self.run.finish(name, summary, watch.seconds)
        self.run.log(f"{name}: done in {watch.seconds:.0f} s")
        self.run.checkpoint(name).unlink(missing_ok=True)

    def _still_fits(self, name: str) -> bool:
        """Tell whether a step is finished and fits; a training that does not fit is refused."""
        run = self.run
        if not run.done(name):
            return False
        differences = changes(run, name)
        learned = run.done("train") or run.checkpoint("train").exists()
        if name == "train" or (name == "dataset" and learned):
            refuse_other_training(run, differences)
        if name in _JUDGES and run.recorded(name) is None:
            differences = ["a record of what it was made from, which is missing"]
        if differences:
            run.log(f"{name}: done again, because of {' and '.join(differences)}")
        return not differences

    def _begin(self, name: str) -> None:
        """Record what a training starts from; go on with a checkpoint only if it is the same."""
        run, begun = self.run, self.run.begun(name)
        if begun is not None and run.checkpoint(name).exists():
            differences = begun.differences(run.provenance(name), weights=False)
            if name == "train":
                refuse_other_training(run, differences)
            elif differences:
                run.log(f"{name}: begun again, because of {' and '.join(differences)}")
                discard_begun(run)
        run.begin(name)

    @cached_property
    def dataset(self) -> Dataset:
        """The samples of the three splits, built when first needed."""
        return build_dataset(self.recipe, self.run)

    @cached_property
    def network(self) -> keras.Model:
        """The network that is evaluated and exported, loaded when first needed."""
        return load_served_network(self.run)

    def _download(self) -> Summary:
        fetched = download(self.recipe.data, self.run.console, self.recipe.limit)
        if fetched is None:
            return {"series": 0}
        counts = {"images": fetched.images, "bytes": fetched.bytes}
        return {"series": len(fetched.series), "new": fetched.new_series, **counts}

    def _dataset(self) -> Summary:
        found = self.dataset
        contact_sheet(found.train, self.recipe, self.run.plots / "samples.png")
        sizes = {"train": found.train, "validation": found.validation, "test": found.test}
        counts = {name: len(samples) for name, samples in sizes.items()}
        return {**counts, "notes": list(found.notes)}

    def _train(self) -> Summary:
        check_layers(self.recipe)
        return train(self.run, self.recipe, self.dataset)

    def _finetune(self) -> Summary:
        return finetune(self.run, self.recipe, self.dataset)

    def _evaluate(self) -> Summary:
        return evaluate(self.run, self.recipe, self.dataset, self.network).summary()

    def _explain(self) -> Summary:
        return explain(self.run, self.recipe, self.dataset, load_network(self.run))

    def _export(self) -> Summary:
        calibration = calibration_of(self.run)
        bundle = export(self.run, self.recipe, self.dataset, self.network, calibration)
        return {"bundle": str(bundle)}
