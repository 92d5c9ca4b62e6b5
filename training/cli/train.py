"""``pacs-ai train``, ``finetune`` and ``tune``."""

from typing import Annotated

import typer

from pacs_ai.errors import ConfigError
from training.cli.options import (
    AsJson,
    Device,
    Epochs,
    Limit,
    Out,
    RecipeName,
    Resume,
    RunFolder,
    Seed,
    folder_of,
    prepare,
    print_result,
    read_recipe,
)

FindRate = Annotated[
    bool,
    typer.Option("--find-lr", help="Only find a good learning rate, and plot the losses."),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="STEP", help="Stop after this step.", show_default=False),
]
From = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="LAYER",
        help="Beginning of the names of layers to unfreeze, last block first; repeat it for "
        "several stages. Default: those of the recipe, else all.",
        show_default=False,
    ),
]


def train(
    recipe: RecipeName,
    *,
    out: Out = None,
    resume: Resume = False,
    seed: Seed = None,
    limit: Limit = None,
    epochs: Epochs = None,
    device: Device = None,
    find_lr: FindRate = False,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Train a model by a recipe, from the data to a bundle that the node serves.

    The steps are download, dataset, train, finetune, evaluate, explain and export. All files go
    into one folder; --resume continues a run that was stopped.
    """
    chosen = read_recipe(recipe, seed=seed, limit=limit, epochs=epochs)
    in_folds = chosen.split.folds > 0 and not chosen.split.fold
    if in_folds and (until is not None or find_lr):
        raise ConfigError("--until and --find-lr do not go together with split.folds")
    prepare(device)
    from training.pipeline import Pipeline, check_step, run_pipeline
    from training.run.run import Run

    check_step(until)
    run = Run.start(chosen, folder_of(chosen, out), resume=resume)
    if find_lr:
        from training.learn.lr_finder import find_learning_rate

        found = find_learning_rate(run, run.recipe, Pipeline(run).dataset)
        print_result(found, as_json=as_json, otherwise=f"learning rate {found['suggested']:.2g}")
        return
    if in_folds:
        from training.folds import train_folds

        train_folds(run)
    else:
        run_pipeline(run, until=until)
    print_result(run.report(), as_json=as_json, otherwise=f"the run is in {run.folder}")


def finetune(
    run: RunFolder,
    *,
    unfreeze: From = None,
    epochs: Epochs = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Fine-tune the network of a run; keep the result only if it is better on validation.

    It starts from the network before any fine-tuning. The later steps (evaluate, explain, export)
    have to be repeated: pacs-ai train RUN/recipe.toml --out RUN --resume does it.
    """
    prepare(device)
    from training.learn.finetune import check_layers
    from training.pipeline import Pipeline
    from training.recipe.learning import Finetune
    from training.run.checks import require_training
    from training.run.run import Run

    opened = Run.open(run)
    given = {
        key: value
        for key, value in (("unfreeze", tuple(unfreeze or ())), ("epochs", epochs))
        if value
    }
    section = (opened.recipe.finetune or Finetune()).model_copy(update=given)
    check_layers(opened.recipe.model_copy(update={"finetune": section}))
    require_training(opened)
    pipeline = Pipeline(opened)
    _ = pipeline.dataset  # an error of the data leaves the run as it is
    opened.alter(finetune=section)
    pipeline.run_step("finetune")
    print_result(opened.summary("finetune"), as_json=as_json, otherwise=f"the run is in {run}")


def tune(
    recipe: RecipeName,
    *,
    out: Out = None,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials",
            metavar="N",
            min=1,
            help="Number of trials, instead of the recipe's.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = None,
    limit: Limit = None,
    epochs: Epochs = None,
    device: Device = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Search good settings of a recipe: learning rate, dropout, augmentation, unfreezing.

    The trials are in a SQLite study in the run folder; --resume adds the missing ones.
    """
    chosen = read_recipe(recipe, seed=seed, limit=limit, epochs=None)
    prepare(device)
    from training.learn.tune import tune as tune_recipe
    from training.pipeline import Pipeline
    from training.run.checks import refuse_trained
    from training.run.run import Run

    folder = folder_of(chosen, out)
    run = Run.start(
        chosen, folder if out else folder.with_name(f"{folder.name}-tuning"), resume=resume
    )
    refuse_trained(run)
    found = tune_recipe(run, run.recipe, Pipeline(run).dataset, trials=trials, epochs=epochs)
    print_result(
        found, as_json=as_json, otherwise=f"the best of {found['trials']} trials: {found['best']}"
    )
