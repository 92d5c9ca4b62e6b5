"""Classify and explain images, and combine their predictions to that of a study."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from pacs_ai.coverage import NOTHING, LeftOut
from pacs_ai.dicom.grey_rows import Grey
from pacs_ai.domain import ImagePrediction, ModelIdentity, StudyPrediction
from pacs_ai.errors import NoFittingSeries
from pacs_ai.model.aggregation import Combination
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.gradcam import gradcam
from pacs_ai.model.heat_maps import GridMaps
from pacs_ai.model.network import DeviceFailed, Floats, Provider
from pacs_ai.model.onnxruntime_provider import onnx_cpu
from pacs_ai.model.preprocess import preprocess
from pacs_ai.model.reservations import check_withheld, reservations_of
from pacs_ai.model.runtime import Runtime


@dataclass(frozen=True, slots=True)
class ImageOutput:
    """What a model says of one image; the fields are those of `ImagePrediction`."""

    probabilities: tuple[float, ...]
    saliency: GridMaps
    outlier: float | None


class Classifier:
    """One bundle, ready to classify.

    Parameters
    ----------
    bundle
        The model.
    runtime
        Its network, loaded.
    threads
        How many threads an analysis may use, for one prediction and for reading images.

    Attributes
    ----------
    identity
        Who computes: the bundle's model, and the runtime that computes it.
    computed_by
        The runtime.
    batch
        Images that it computes at a time, of all that are given to it in several threads.
    """

    def __init__(self, bundle: ModelBundle, runtime: Runtime, threads: int = 1) -> None:
        self.bundle = bundle
        self.threads = threads
        self.computed_by = runtime.computed_by
        self.batch = self.computed_by.batch
        self.identity: ModelIdentity = replace(
            bundle.identity, runtime=str(self.computed_by), probe_sha256=runtime.probe_sha256
        )
        self._runtime = runtime

    @classmethod
    def load(cls, bundle: ModelBundle, threads: int = 1, provider: Provider = onnx_cpu) -> Self:
        """Load the network of a bundle; see `Runtime`."""
        return cls(bundle, Runtime(bundle, threads, provider), threads)

    def after(self, failure: DeviceFailed) -> Self:
        """Load what takes the place of this after its GPU has failed; it has its own identity."""
        return self.load(self.bundle, self.threads, self._runtime.after(failure))

    def predict_image(self, pixels: Grey) -> ImageOutput:
        """Preprocess one image, and predict it as `predict_input` does.

        Parameters
        ----------
        pixels
            Display values in [0, 1].

        Raises
        ------
        UnsupportedPixels
            If ``pixels`` is not one grey image of finite values.
        RuntimeFailed
            If the network fails.
        """
        return self.predict_input(preprocess(pixels, self.bundle.input), pixels.shape)

    def predict_input(self, x: Floats, size: tuple[int, ...]) -> ImageOutput:
        """Classify and explain one image; see `predict_inputs`."""
        return self.predict_inputs(x, [size])[0]

    def predict_inputs(
        self, x: Floats, sizes: Sequence[tuple[int, ...]]
    ) -> tuple[ImageOutput, ...]:
        """Classify and explain images, and tell how far they lie from those of training.

        Parameters
        ----------
        x
            What `preprocess` made of the images, one behind the other.
        sizes
            Rows and columns that each image has.

        Returns
        -------
        tuple
            For each image: A probability for each class. The saliency: maps in [0, 1], each of
            which covers exactly the whole image (the resize is undone). Classes that are not
            positive are not explained: their maps are zero, and so are all where the model has no
            heat maps. The distance from the images of training, if the bundle knows them.

        Raises
        ------
        RuntimeFailed
            If the network fails; `DeviceFailed` if it does so on a GPU: see `after`.
        """
        logits, features = self._runtime.predict(x)
        return tuple(
            self._output(logits[number], features[number : number + 1], size)
            for number, size in enumerate(sizes)
        )

    def _output(self, logits: Floats, features: Floats, size: tuple[int, ...]) -> ImageOutput:
        maps = np.zeros((len(self.identity.classes), *features.shape[1:3]), dtype=np.float32)
        for index, entry in enumerate(self.identity.classes):
            if entry.positive and not self.identity.unexplained:
                maps[index] = gradcam(features[0], self.bundle.class_weights[index])
        chances = activate(logits, self.identity.activation, self.bundle.temperature)
        rows, columns = size
        outliers = self.bundle.outliers
        pooled = features.mean(axis=(1, 2))
        return ImageOutput(
            probabilities=tuple(float(p) for p in chances),
            saliency=GridMaps(maps, rows, columns, self.bundle.input),
            outlier=None if outliers is None else float(outliers.score(pooled)[0]),
        )

    def aggregate(
        self, images: Sequence[ImagePrediction], left_out: LeftOut = NOTHING
    ) -> StudyPrediction:
        """Combine the predictions of a study's images; see `aggregate`.

        Parameters
        ----------
        images
            At least one.
        left_out
            Images that should have been among them.

        Raises
        ------
        NoFittingSeries
            If there is no image.
        ResultWithheld
            If the bundle withholds results of images unlike those of training, and these are.
        """
        prediction = replace(aggregate(images, self.identity), left_out=left_out)
        reservations = reservations_of(prediction)
        if self.bundle.outliers is not None and self.bundle.outliers.withholds:
            check_withheld(reservations)
        return replace(prediction, reservations=reservations)


def activate(logits: Floats, activation: str, temperature: float) -> npt.NDArray[np.float64]:
    """Turn logits into probabilities.

    Parameters
    ----------
    logits
        Shape (..., classes).
    activation
        ``softmax`` (one class of many) or ``sigmoid`` (each class by itself).
    temperature
        Divides the logits; fitted so that probabilities are calibrated (Guo et al., 2017).

    Returns
    -------
    NDArray
        Shape (..., classes), in [0, 1]; softmax sums to 1.
    """
    scaled = logits.astype(np.float64) / temperature
    if activation == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(scaled, -700.0, 700.0))))
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def aggregate(images: Sequence[ImagePrediction], identity: ModelIdentity) -> StudyPrediction:
    """Combine the predictions of a study's images.

    Parameters
    ----------
    images
        At least one.
    identity
        The model, which says how; see `pacs_ai.model.aggregation`.

    Raises
    ------
    NoFittingSeries
        If there is no image.

    Notes
    -----
    The decisive image is the one with the highest probability of any positive class. Where each
    finding is combined by itself, what counts is how far the probability is above the operating
    point of its class. Of equal images it is the first.
    """
    if not images:
        raise NoFittingSeries("the model saw no image of the study")
    table = np.array([image.probabilities for image in images])
    rule = Combination(
        identity.aggregation, identity.activation, [entry.positive for entry in identity.classes]
    )
    above = [entry.threshold for entry in identity.classes]
    scores = rule.scores(table - above if rule.separate else table)
    return StudyPrediction(
        model=identity,
        images=tuple(images),
        probabilities=tuple(float(p) for p in rule.combine(table)),
        decisive=int(np.argmax(scores)),
    )
