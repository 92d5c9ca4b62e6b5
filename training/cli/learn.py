"""``pacs-ai train``, ``finetune`` and ``tune``: find the weights."""

from typing import Annotated

import typer

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
    read_recipe,
    say,
)

FindRate = Annotated[
    bool,
    typer.Option("--find-lr", help="Only look for a good learning rate, and plot what was seen."),
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
        help="Start of the names of layers that learn, deepest first; several times for several "
        "stages. Default: the recipe's, else all.",
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
    """Follow a recipe from the data to a bundle that the node serves.

    The steps are download, dataset, train, finetune, evaluate, explain and export. All that comes
    of it stands in one folder; a run that was stopped is continued with --resume.
    """
    chosen = read_recipe(recipe, seed=seed, limit=limit, epochs=epochs)
    prepare(device)
    from training.pipeline import Story, follow
    from training.run.run import Run

    run = Run.start(chosen, folder_of(chosen, out), resume=resume)
    if find_lr:
        from training.learn.lr_finder import find_rate

        found = find_rate(run, run.recipe, Story(run).dataset)
        say(found, as_json=as_json, otherwise=f"learning rate {found['suggested']:.2g}")
        return
    follow(run, until=until)
    say(run.report(), as_json=as_json, otherwise=f"the run is in {run.folder}")


def finetune(
    run: RunFolder,
    *,
    unfreeze: From = None,
    epochs: Epochs = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Train the network of a run further, with small steps; never for the worse.

    What comes after it (evaluate, explain, export) is to be done again then: pacs-ai train
    RUN/recipe.toml --out RUN --resume does it.
    """
    prepare(device)
    from training.pipeline import Story
    from training.recipe.learning import Finetune
    from training.run.run import Run

    opened = Run.open(run)
    given = {
        key: value
        for key, value in (("unfreeze", tuple(unfreeze or ())), ("epochs", epochs))
        if value
    }
    section = opened.recipe.finetune or Finetune()
    opened.alter(finetune=section.model_copy(update=given))
    Story(opened).do("finetune")
    say(opened.summary("finetune"), as_json=as_json, otherwise=f"the run is in {run}")


def tune(
    recipe: RecipeName,
    *,
    out: Out = None,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials", metavar="N", min=1, help="Trials, for the recipe's.", show_default=False
        ),
    ] = None,
    seed: Seed = None,
    limit: Limit = None,
    epochs: Epochs = None,
    device: Device = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Look for good settings of a recipe: learning rate, dropout, augmentation, unfreezing.

    The trials stand in a SQLite study in the run's folder; --resume adds what is missing.
    """
    chosen = read_recipe(recipe, seed=seed, limit=limit, epochs=None)
    prepare(device)
    from training.learn.tune import tune as search
    from training.pipeline import Story
    from training.run.run import Run

    folder = folder_of(chosen, out)
    run = Run.start(
        chosen, folder if out else folder.with_name(f"{folder.name}-tuning"), resume=resume
    )
    found = search(run, run.recipe, Story(run).dataset, trials=trials, epochs=epochs)
    say(found, as_json=as_json, otherwise=f"the best of {found['trials']} trials: {found['best']}")
