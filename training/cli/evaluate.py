"""``pacs-ai evaluate``, ``explain``, ``export`` and ``quantise``, for the network of a run."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.errors import ConfigError, PrecisionRefused
from training.cli.opening import network_of, opened_run, place_of
from training.cli.options import AsJson, Device, RunFolder, prepare, print_result
from training.cli.other_data import evaluate_other_data
from training.run.checks import require_network
from training.run.disk import check_place
from training.run.run import STATE, Run, Stopwatch

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
    if data is not None:
        evaluate_other_data(run, data, device, limit, as_json=as_json)
        return
    with opened_run(run, device, limit) as opened:
        from training.data import build_dataset
        from training.evaluate import evaluate as evaluate_run

        watch, recipe = Stopwatch(), opened.recipe
        result = evaluate_run(opened, recipe, build_dataset(recipe, opened), network_of(opened))
        opened.finish("evaluate", result.summary(), watch.seconds)
    report = place_of(run, limit) / "evaluation" / "report.html"
    print_result(result.summary(), as_json=as_json, otherwise=f"the report is {report}")


def explain(
    run: RunFolder, *, limit: Trial = None, device: Device = None, as_json: AsJson = False
) -> None:
    """Explain the network of a run, and measure how faithful its heat maps are.

    Writes to RUN/explain: overlays by three methods, feature maps, activation maximisation of each
    class, deletion and insertion curves, and the pointing game if boxes of the findings are known.
    A repetition replaces these files.
    """
    with opened_run(run, device, limit, calibrated=True) as opened:
        from training.data import build_dataset
        from training.explain import explain as explain_run

        watch, recipe = Stopwatch(), opened.recipe
        network = network_of(opened, plain=True)
        found = explain_run(opened, recipe, build_dataset(recipe, opened), network)
        summary = {"measured": found["measured"]}
        opened.finish("explain", summary, watch.seconds)
    page = place_of(run, limit) / "explain" / "explain.html"
    print_result(summary, as_json=as_json, otherwise=f"the page is {page}")


def export(
    run: RunFolder, *, out: To = None, device: Device = None, as_json: AsJson = False
) -> None:
    """Export the bundle of a run, if the exported network computes the same as the trained one.

    A repetition replaces the bundle when the new one is complete.
    """
    with opened_run(run, device) as opened:
        from training.bundle.export import export as export_run
        from training.bundle.results import check_results
        from training.bundle.target import checked_target
        from training.data import build_dataset
        from training.evaluate.publish import calibration_of

        watch = Stopwatch()
        require_network(opened, finished=True)
        recipe, calibration = opened.recipe, calibration_of(opened)
        check_results(opened)
        check_place(checked_target((out or opened.bundle).resolve()))
        dataset = build_dataset(recipe, opened)
        folder = export_run(opened, recipe, dataset, network_of(opened), calibration, out)
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
    prepare(device)
    if (bundle / STATE).is_file():
        raise ConfigError(f"{bundle} is a run: give the bundle that pacs-ai export made of it")
    opened = Run.open(run or bundle.resolve().parent)
    from training.bundle.quantise import checked_bundle, table
    from training.bundle.quantise import quantise as quantise_bundle
    from training.data import build_dataset

    checked_bundle(opened, bundle.resolve())
    check_place(bundle.resolve())
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
