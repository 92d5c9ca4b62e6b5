"""The part of a recipe that says what learns, and how."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from training.recipe.data import Strict

IMAGENET_SCALING: dict[str, str] = {
    "resnet50": "caffe",
    "resnet50v2": "symmetric",
    "resnet101": "caffe",
    "vgg16": "caffe",
    "densenet121": "imagenet",
    "efficientnetb0": "bytes",
}
"""What ImageNet's weights of keras.applications were trained on, in three channels."""


class Head(Strict):
    """What every network has: where its weights come from, and the head on its last features.

    ``weights`` is ``none`` (random), the path of a file (``.h5`` as keras.applications offers it,
    without top, or ``.npz`` of a run), or ``imagenet``, which is downloaded. ``dropout`` is the
    share of pooled features left out in training; ``l1`` and ``l2`` what the size of every kernel
    costs.
    """

    weights: str = Field(default="none", min_length=1)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    l1: float = Field(default=0.0, ge=0.0)
    l2: float = Field(default=0.0, ge=0.0)


class SmallResNet(Head):
    """A small residual network for CPUs: width of the stem, then of each stage.

    The stem and the first ``halvings`` stages halve the side, so the last features have
    ``height / 2 ** (1 + halvings)`` rows. Each stage has ``blocks`` residual blocks.
    """

    architecture: Literal["small-resnet"]
    stem: int = Field(ge=1)
    stages: tuple[int, ...] = Field(min_length=1)
    blocks: int = Field(ge=1)
    halvings: int = Field(ge=0)

    @model_validator(mode="after")
    def _weights_of_its_own(self) -> Self:
        if self.weights == "imagenet":
            raise ValueError("nobody trained this network on ImageNet: weights is none or a path")
        return self


class Backbone(Head):
    """A network of keras.applications without its top."""

    architecture: Literal[
        "resnet50", "resnet50v2", "resnet101", "vgg16", "densenet121", "efficientnetb0"
    ]

    @property
    def scaling(self) -> str | None:
        """The scaling that the weights were trained on; None if they come from a run or nowhere."""
        offered = self.weights == "imagenet" or self.weights.endswith(".h5")
        return IMAGENET_SCALING[self.architecture] if offered else None


Network = Annotated[SmallResNet | Backbone, Field(discriminator="architecture")]


class Optimisation(Strict):
    """How the weights are found.

    ``base`` says whether the network below the head is ``trained`` too or stays ``frozen``.
    The loss is cross-entropy, by ``release.activation`` over classes or class by class;
    ``focal_gamma`` above 0 lowers what easy images count (Lin et al., 2017); how rare classes are
    evened out stands in ``[feeding]``. ``weight_decay`` above 0 makes AdamW of Adam. ``schedule``
    moves the learning rate: ``cosine`` and ``exponential`` from step to step, ``plateau`` by
    ``factor`` when validation did not improve for ``plateau_patience`` epochs. ``average`` above 0
    validates and keeps a moving average of the weights, of that momentum (Polyak and Juditsky,
    1992). The best epoch is the one with the best ``monitor`` on validation; after ``patience``
    epochs without a better one training ends.
    ``map_weight`` is what pointing away from the finding's box costs beside a wrong class; 0
    leaves the heat map to itself. ``precision`` and ``devices`` are for accelerators:
    ``mirrored`` uses all of one machine, ``multi-worker`` those of several (TF_CONFIG).
    ``checkpoint_seconds`` is how often the state is saved within an epoch.
    """

    epochs: int = Field(default=50, ge=1)
    base: Literal["trained", "frozen"] = "trained"
    learning_rate: float = Field(default=1e-4, gt=0.0)
    weight_decay: float = Field(default=0.0, ge=0.0)
    schedule: Literal["constant", "cosine", "exponential", "plateau"] = "constant"
    warmup_epochs: float = Field(default=0.0, ge=0.0)
    factor: float = Field(default=0.5, gt=0.0, lt=1.0)
    plateau_patience: int = Field(default=4, ge=1)
    average: float = Field(default=0.0, ge=0.0, lt=1.0)
    patience: int = Field(default=10, ge=1)
    monitor: Literal["loss", "accuracy", "auc"] = "loss"
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    focal_gamma: float = Field(default=0.0, ge=0.0)
    map_weight: float = Field(default=0.0, ge=0.0)
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    devices: Literal["one", "mirrored", "multi-worker"] = "one"
    checkpoint_seconds: float = Field(default=60.0, ge=0.0)
    threads: int = Field(default=2, ge=1)
    seed: int = 1


class Finetune(Strict):
    """How a trained network is trained further, from ``unfreeze`` upwards.

    ``unfreeze`` names layers or blocks by the start of their names, from the deepest that learns
    to the shallowest: ``["conv5", "conv4"]``. With ``gradual`` they join one after another, each
    after an equal share of the epochs (Howard and Ruder, 2018); without, all learn from the start.
    ``["all"]`` unfreezes the whole network. Batch normalisation keeps its statistics
    (``batch_norm = "frozen"``) or learns them anew.
    """

    unfreeze: tuple[str, ...] = Field(default=("all",), min_length=1)
    gradual: bool = True
    epochs: int = Field(default=10, ge=1)
    learning_rate: float = Field(default=1e-5, gt=0.0)
    batch_norm: Literal["frozen", "trained"] = "frozen"


class Tuning(Strict):
    """What ``pacs-ai tune`` tries: ranges, and how many trials of how many epochs.

    Trials that are worse than the median of those before them are given up.
    """

    trials: int = Field(default=20, ge=1)
    epochs: int = Field(default=10, ge=1)
    learning_rate: tuple[float, float] = (1e-5, 1e-2)
    dropout: tuple[float, float] = (0.0, 0.5)
    augmentation: tuple[float, float] = (0.0, 1.5)


class Release(Strict):
    """What the bundle says of itself."""

    name: str = Field(min_length=1, max_length=64)
    version: str = Field(min_length=1, max_length=64)
    manufacturer: str = Field(min_length=1, max_length=64)
    description: str = Field(max_length=1024)
    activation: Literal["softmax", "sigmoid"]
    aggregation: Literal["max", "mean"] = "max"
