"""``pacs-ai evaluate``, ``explain``, ``export`` and ``quantise``, for the network of a run."""

import shutil
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from pacs_ai.errors import ConfigError, PrecisionRefused
from training.cli.options import AsJson, Device, RunFolder, prepare, print_result
from training.recipe.recipe import Recipe, load_recipe, with_data
from training.run.run import RECIPE, STATE, Run, Stopwatch

TRIAL = "trial"

OtherData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="OTHER",
        help="Evaluate on other data: a folder of pictures, or a TOML file with [data].",
        show_default=False,
    ),
]
Trial = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        min=1,
        help="Make a trial with at most N patients of each split, in RUN/trial, which is replaced "
        "each time. The run stays as it is.",
        show_default=False,
    ),
]
To = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Folder of the bundle; an existing bundle is replaced. Default: RUN/bundle.",
        show_default=False,
    ),
]
Bundle = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="The folder of a bundle, made by export.")
]
OfRun = Annotated[
    Path | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="The run of the bundle. Default: the parent folder of the bundle.",
        show_default=False,
    ),
]
Unlabelled = Annotated[
    list[Path] | None,
    typer.Option(
        "--images",
        metavar="PATH",
        help="DICOM files, or folders of them, for a bundle that has no run; give it once for "
        "each. Half of the studies give the ranges, the others are compared. Labels are not "
        "needed: the decisions in float32 take their place.",
        show_default=False,
    ),
]


def evaluate(
    run: RunFolder,
    *,
    data: OtherData = None,
    limit: Trial = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a run on its test split, or on other data.

    Temperature and thresholds come from the validation split. Figures with intervals go into
    evaluation/figures.json, the report into evaluation/report.html; with --data into a folder of
    that name in evaluation, with the difference to the test split of the run. A repetition
    replaces these files; the same run gives the same figures.
    """
    opened, watch = _open(run, device, limit), Stopwatch()
    from training.data import build_dataset, build_other
    from training.evaluate import evaluate as evaluate_run
    from training.evaluate import evaluate_other

    if data is None:
        recipe = opened.recipe
        result = evaluate_run(opened, recipe, build_dataset(recipe, opened), _network(opened))
        opened.finish("evaluate", result.summary(), watch.seconds)
        report = opened.evaluation / "report.html"
    else:
        other = _run_of(opened, data, limit)
        name, found = other.folder.name, build_other(other.recipe, other, Run.open(run))
        network, studies = _network(opened), found.studies
        result = evaluate_other(
            opened, opened.recipe, found.test, network, name, found.notes, studies=studies
        )
        report = other.folder / "report.html"
    print_result(result.summary(), as_json=as_json, otherwise=f"the report is {report}")


def explain(
    run: RunFolder, *, limit: Trial = None, device: Device = None, as_json: AsJson = False
) -> None:
    """Explain the network of a run, and measure how faithful its heat maps are.

    Writes to RUN/explain: overlays by three methods, feature maps, activation maximisation of each
    class, deletion and insertion curves, and the pointing game if boxes of the findings are known.
    A repetition replaces these files.
    """
    opened, watch = _open(run, device, limit), Stopwatch()
    from training.data import build_dataset
    from training.explain import explain as explain_run

    recipe = opened.recipe
    found = explain_run(opened, recipe, build_dataset(recipe, opened), _network(opened, plain=True))
    summary = {"measured": found["measured"]}
    opened.finish("explain", summary, watch.seconds)
    page = opened.explain / "explain.html"
    print_result(summary, as_json=as_json, otherwise=f"the page is {page}")


def export(
    run: RunFolder, *, out: To = None, device: Device = None, as_json: AsJson = False
) -> None:
    """Export the bundle of a run, if the exported network computes the same as the trained one.

    A repetition replaces the bundle when the new one is complete.
    """
    opened, watch = _open(run, device), Stopwatch()
    from training.bundle.export import export as export_run
    from training.data import build_dataset
    from training.evaluate.publish import calibration_of

    recipe, calibration = opened.recipe, calibration_of(opened)
    dataset = build_dataset(recipe, opened)
    folder = export_run(opened, recipe, dataset, _network(opened), calibration, out)
    summary = {"bundle": str(folder)}
    opened.finish("export", summary, watch.seconds)
    said = f"the bundle is {folder}; try it: pacs-ai infer --model {folder} PATH"
    print_result(summary, as_json=as_json, otherwise=said)


def quantise(
    bundle: Bundle,
    *,
    run: OfRun = None,
    images: Unlabelled = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Make smaller bundles, BUNDLE-fp16 and BUNDLE-int8, and measure what each costs.

    The ranges for eight bits come from training images, the figures from the test split; the
    latency is that of one image on two threads of this machine. BUNDLE-int8 is written only if AUC,
    probabilities and heat maps are close to those in float32 on the validation split. The node
    checks that again. With --images only BUNDLE-int8 is made. A repetition replaces the bundles.
    """
    if images:
        _quantise_with(images, bundle, device, as_json=as_json)
        return
    opened = _open(run or bundle.resolve().parent, device)
    from training.bundle.quantise import quantise as quantise_bundle
    from training.bundle.quantise import table
    from training.data import build_dataset

    recipe = opened.recipe
    found = quantise_bundle(opened, recipe, build_dataset(recipe, opened), bundle.resolve())
    print_result(found, as_json=as_json, otherwise=table(found))
    if found["refused"]:
        raise PrecisionRefused(found["refused"])


def _quantise_with(images: list[Path], bundle: Path, device: str | None, *, as_json: bool) -> None:
    """Make a bundle of eight bits without a run."""
    prepare(device)
    from training.bundle.quantise_folder import quantise_folder

    found = quantise_folder(bundle.resolve(), images, lambda line: print(line, file=sys.stderr))
    print_result(found, as_json=as_json, otherwise=f"{found['bundle']}: {found['summary']}")


def _open(folder: Path, device: str | None, limit: int | None = None) -> Run:
    prepare(device)
    run = Run.open(folder)
    return run if limit is None else _trial_of(run, limit)


def _trial_of(run: Run, limit: int) -> Run:
    """Make a trial run with few patients, and the network and calibration of a run."""
    from training.data.report import FILE
    from training.data.split_file import limited, read_split, write_split
    from training.evaluate.internal import TEST_SCORES
    from training.evaluate.publish import CALIBRATION

    folder = run.folder / TRIAL
    shutil.rmtree(folder, ignore_errors=True)
    trial = Run.create(run.recipe.model_copy(update={"limit": limit}), folder)
    for path in (
        run.best,
        run.folder / FILE,
        run.evaluation / CALIBRATION,
        run.evaluation / TEST_SCORES,
    ):
        if path.exists():
            target = folder / path.relative_to(run.folder)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
    write_split(trial.split, limited(read_split(run.split), limit).rows)
    return trial


def _network(run: Run, *, plain: bool = False) -> Any:  # noqa: ANN401 - a network of Keras, which is not imported yet
    """Load the network that is served, or a plain one: with one view of the image."""
    from training.learn.environment import environment
    from training.learn.train import load_network, load_served_network

    with environment(run.recipe):
        return load_network(run) if plain else load_served_network(run)


def _run_of(run: Run, data: Path, limit: int | None) -> Run:
    """Create the run folder for the evaluation on other data; an old one is removed."""
    folder = run.evaluation / data.stem
    other = _recipe_of(run.folder / RECIPE, data).model_copy(update={"limit": limit})
    if (folder / STATE).exists():
        shutil.rmtree(folder)
    return Run.create(other, folder)


def _recipe_of(path: Path, data: Path) -> Recipe:
    """Return the recipe of a run with other data, all of which is evaluated.

    Raises
    ------
    ConfigError
        If ``data`` is neither a folder nor a TOML file with a section ``[data]``.
    """
    recipe = load_recipe(path)
    if not data.is_dir():
        return with_data(recipe, *_sections(data), data.resolve().parent)
    labels = data / "labels.csv"
    section = {"source": "pictures", "folder": str(data.resolve())}
    section |= {"labels": str(labels.resolve())} if labels.exists() else {}
    return with_data(recipe, section, {}, data)


def _sections(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the sections ``[data]`` and ``[split]``; the second may be missing."""
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"--data {path}: neither a folder nor a TOML file") from error
    found, split = whole.get("data"), whole.get("split", {})
    if not isinstance(found, dict) or not isinstance(split, dict):
        raise ConfigError(f"--data {path}: has no section [data]")
    return found, split
