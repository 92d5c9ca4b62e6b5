"""Cross-validation: train a network for each fold, and join them.

Each fold is a run of its own, in ``fold-1``, ``fold-2`` and so on. Its test split is the fold, its
validation split is drawn from the others. The joint report is about the out-of-fold predictions:
each image is predicted by the one network that did not learn from it and was not chosen by it. The
bundle is the ensemble of all networks.
"""

from collections.abc import Callable, Mapping, Sequence

import keras

from training.bundle.export import export
from training.data import build_dataset
from training.data.samples import Dataset
from training.evaluate.out_of_fold import FoldResult, evaluate_out_of_fold
from training.evaluate.publish import calibration_of
from training.learn.train import load_network, recipe_views
from training.networks.ensemble import ensemble
from training.pipeline import run_pipeline
from training.recipe.recipe import Recipe
from training.run.checks import changes
from training.run.run import Run, Stopwatch


def train_folds(run: Run) -> None:
    """Train all folds of a run, evaluate them together, and export their ensemble.

    Finished steps are not done again, neither of the run nor of a fold, unless they were done with
    other networks, another split or another recipe.

    Parameters
    ----------
    run
        Gets the folders of the folds, ``evaluation/`` and ``bundle/``.
    """
    members = train_members(run)
    if not (_due(run, "evaluate") or _due(run, "export")):
        run.log("evaluate, export: already done")
        return
    datasets = [build_dataset(member.recipe, member).certain() for member in members]
    _step(run, "evaluate", lambda: _evaluate(run, members, datasets))
    _step(run, "export", lambda: _export(run, members, datasets[0]))


def train_members(run: Run) -> list[Run]:
    """Train and evaluate the network of each fold; return their runs."""
    members = [_member(run, number) for number in range(1, run.recipe.split.folds + 1)]
    for member in members:
        run.log(f"{member.folder.name} of {len(members)}")
        run_pipeline(member, until="evaluate")
    return members


def load_ensemble(run: Run, members: Sequence[Run]) -> keras.Model:
    """Combine the networks of all folds, each with its own temperature."""
    networks = [load_network(member) for member in members]
    temperatures = [calibration_of(member).temperature for member in members]
    return ensemble(networks, temperatures, recipe_views(run.recipe))


def _member(run: Run, number: int) -> Run:
    """Start or resume the run of a fold."""
    split = run.recipe.split.model_copy(update={"fold": number})
    recipe: Recipe = run.recipe.model_copy(update={"split": split})
    return Run.start(recipe, run.folder / f"fold-{number}", resume=True)


def _step(run: Run, name: str, work: Callable[[], Mapping[str, object]]) -> None:
    if not _due(run, name):
        return
    watch = Stopwatch()
    run.finish(name, work(), watch.seconds)
    run.log(f"{name}: done in {watch.seconds:.0f} s")


def _due(run: Run, name: str) -> bool:
    """Tell whether a step is unfinished, or was done with other networks or another recipe."""
    return run.recorded(name) is None or bool(changes(run, name))


def _evaluate(
    run: Run, members: Sequence[Run], datasets: Sequence[Dataset]
) -> Mapping[str, object]:
    results = [
        FoldResult.of(member, dataset.test)
        for member, dataset in zip(members, datasets, strict=True)
    ]
    return evaluate_out_of_fold(run, results, load_ensemble(run, members)).summary()


def _export(run: Run, members: Sequence[Run], dataset: Dataset) -> Mapping[str, object]:
    network = load_ensemble(run, members)
    folder = export(run, run.recipe, dataset, network, calibration_of(run))
    return {"bundle": str(folder), "members": len(members)}
