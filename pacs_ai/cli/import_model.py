"""``pacs-ai models import``: its options. The package `training` does the work."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pacs_ai.cli.training import training_function


def import_model(
    network: Annotated[Path, typer.Argument(metavar="NETWORK", help="An .onnx or a .keras file.")],
    *,
    labels: Annotated[
        str,
        typer.Option(
            metavar="LABELS",
            help="Classes in the order of the outputs: a .txt, .csv or .json file, or names "
            "separated by commas.",
        ),
    ],
    preprocess: Annotated[
        str,
        typer.Option(
            metavar="ID|FILE",
            help="How an image becomes the input: an id such as stretch-imagenet-rgb-v1, or a TOML "
            "file with keys of [input].",
        ),
    ],
    modality: Annotated[
        list[str] | None,
        typer.Option(help="Modality that the network was made for; may be repeated."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model. Default: that of the file.")
    ] = None,
    model_version: Annotated[str, typer.Option("--model-version", help="Its version.")] = "1",
    manufacturer: Annotated[str, typer.Option(help="Who made it.")] = "imported",
    description: Annotated[str, typer.Option(help="What it tells.")] = "",
    negative: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS", help="A class that is no finding; may be repeated."),
    ] = None,
    activation: Annotated[
        Literal["softmax", "sigmoid"] | None,
        typer.Option(help="Needed where the network gives logits."),
    ] = None,
    aggregation: Annotated[
        str, typer.Option(help="How images become a study: max, mean, top-3-mean, noisy-or.")
    ] = "max",
    images: Annotated[
        str | None,
        typer.Option(help="Images of a series that are looked at: all, central-5, every-4."),
    ] = None,
    max_images: Annotated[
        int | None, typer.Option(min=1, help="Most images of a study. Default: 512.")
    ] = None,
    scores: Annotated[
        str | None, typer.Option(metavar="OUTPUT", help="The output with the scores, of several.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Height and width, where the network leaves them open."),
    ] = None,
    layout: Annotated[
        Literal["nchw", "nhwc"] | None,
        typer.Option(help="Where the channels are, where the shape does not tell."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "--output", metavar="DIR", help="Folder of the bundle. Default: the name."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a bundle of a network that was trained elsewhere.

    Finds the mean of a feature map and the last linear layer, from which heat maps are exact. Where
    there are none, the bundle says why, and the model is served without heat maps.
    """
    training_function("import_model")(
        network,
        out=out or Path(name or network.stem),
        size=size,
        as_json=as_json,
        labels=labels,
        preprocess=preprocess,
        name=name or network.stem,
        version=model_version,
        manufacturer=manufacturer,
        description=description,
        activation=activation,
        aggregation=aggregation,
        images=images,
        max_images=max_images,
        modalities=tuple(one.upper() for one in modality or ()),
        negative=tuple(negative or ()),
        scores=scores,
        layout=layout,
    )
