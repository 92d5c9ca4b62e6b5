"""Networks of reduced precision: how one is recognised, and what it may lose.

A network of eight bits computes other probabilities and other heat maps than the network in float32
that it was made from. It is served only with a report of how large the differences are. The report
is the section ``[quantisation]`` of ``model.toml``; ``pacs-ai quantise`` measures and writes it.
"""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from pacs_ai.model import onnx_file

FLOAT32, FLOAT16, INT8 = "fp32", "fp16", "int8"
"""The precisions of a network."""

_HALVES: Final = frozenset({10, 16})
_SMALL: Final = frozenset({2, 3, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26})
"""Numbers of onnx.proto3 for tensors of 16 bits (float16, bfloat16), and of 8 bits or fewer."""

_WHOLE_NUMBERS: Final = ("quantize", "qlinear", "integer", "nbits")
"""Parts of the names, in small letters, of operators that compute with eight bits or fewer."""

_SHA256 = r"^[0-9a-f]{64}$"

LEAST_IMAGES: Final = 50
"""The smallest number of images on which the differences say something."""


class Limits(BaseModel):
    """The largest differences with which a network of reduced precision is served.

    ``auc_difference`` and ``probability_difference`` are upper limits; the two correlations of heat
    maps, of all and of the least similar twentieth, are lower limits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    auc_difference: float = 0.01
    probability_difference: float = 0.1
    map_correlation: float = 0.97
    lowest_map_correlation: float = 0.85


LIMITS: Final = Limits()
"""The limits that the node applies, whatever limits a report states."""


class QuantisationReport(BaseModel):
    """The differences between a network of reduced precision and the one in float32.

    Both networks were run on the same preprocessed images.

    Parameters
    ----------
    network, original
        SHA-256 of ``model.onnx`` of this bundle, and of the bundle in float32.
    images
        Number of images. None of them gave the ranges of the quantisation.
    split
        Where the images come from: the validation split of the run, or a folder of images.
    images_sha256
        SHA-256 of the preprocessed images, in their order.
    truth
        What the AUC is measured with: the labels of the images, or, where they have none, the
        decisions of the network in float32.
    auc_difference
        Largest absolute difference of the AUC of a class.
    probability_difference
        Largest absolute difference of a probability, in [0, 1].
    map_correlation, lowest_map_correlation
        Pearson correlation of the heat maps that a reader would see, in [-1, 1]: the mean, and the
        5th percentile.
    limits
        The limits when it was measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    network: str = Field(pattern=_SHA256)
    original: str = Field(pattern=_SHA256)
    images: int = Field(ge=1)
    split: Literal["validation", "folder"]
    images_sha256: str = Field(pattern=_SHA256)
    truth: Literal["labels", "decisions"]
    auc_difference: float = Field(ge=0.0, le=1.0)
    probability_difference: float = Field(ge=0.0, le=1.0)
    map_correlation: float = Field(ge=-1.0, le=1.0)
    lowest_map_correlation: float = Field(ge=-1.0, le=1.0)
    limits: Limits = LIMITS

    def excess(self, limits: Limits = LIMITS) -> str:
        """Say which figures are beyond their limits; "" if none is."""
        wrong = []
        if self.images < LEAST_IMAGES:
            wrong.append(f"measured on {self.images} images, at least {LEAST_IMAGES} are needed")
        for name, found, limit in (
            ("AUC differs", self.auc_difference, limits.auc_difference),
            ("a probability differs", self.probability_difference, limits.probability_difference),
        ):
            if found > limit:
                wrong.append(f"{name} by {found:.3g}, allowed is {limit:g}")
        for name, found, limit in (
            ("heat maps", self.map_correlation, limits.map_correlation),
            ("the worst heat maps", self.lowest_map_correlation, limits.lowest_map_correlation),
        ):
            if found < limit:
                wrong.append(f"{name} correlate by {found:.3f}, needed is {limit:g}")
        return "; ".join(wrong)

    @property
    def summary(self) -> str:
        """Write the figures in one line."""
        truth = "" if self.truth == "labels" else " without labels"
        return (
            f"AUC {self.auc_difference:.3g}, probability {self.probability_difference:.3g}, "
            f"maps {self.map_correlation:.3f} on {self.images} images of the {self.split}{truth}"
        )


def precision_of(network: bytes) -> str:
    """Find the lowest precision that a network computes with or holds weights of.

    Parameters
    ----------
    network
        Content of the ONNX file.

    Returns
    -------
    str
        ``fp32``, ``fp16`` (bfloat16 counts as this) or ``int8`` (fewer bits count as this).
    """
    types = onnx_file.data_types(network)
    names = onnx_file.operators(network)
    if types & _SMALL or any(part in name.lower() for name in names for part in _WHOLE_NUMBERS):
        return INT8
    return FLOAT16 if types & _HALVES else FLOAT32


def refusal(report: QuantisationReport | None, precision: str, sha256: str) -> str:
    """Say why a network is not served because of its precision; "" if it is served.

    Parameters
    ----------
    report
        The report of the bundle, None if it has none.
    precision
        Of the network, from `precision_of`.
    sha256
        Of the network.
    """
    if report is None:
        missing = precision == INT8
        return "it has no report [quantisation]" if missing else ""
    if report.network != sha256.lower():
        return "its report [quantisation] is about another network"
    return report.excess()
