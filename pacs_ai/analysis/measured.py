"""Measure one image of a study, for comparison with the validation images of the model."""

from dataclasses import dataclass, field

from pacs_ai.dicom.pixels import DecodedFrame
from pacs_ai.domain import ImagePrediction, ModelIdentity
from pacs_ai.model.input_statistics import input_statistics, rank, score_statistics
from pacs_ai.model.network import Floats


@dataclass(slots=True)
class Measured:
    """The statistics of one image, which is drawn from the images of the study.

    The drawing depends on the UIDs of the images alone. A statistic over all images of a study
    would be spread less than one over single images, which the bundle has.
    """

    modality: str = ""
    values: dict[str, float] = field(default_factory=dict)
    _rank: bytes = b""

    def offer(
        self, image: ImagePrediction, model: ModelIdentity, x: Floats, decoded: DecodedFrame
    ) -> None:
        """Measure an image if it is drawn before all that were offered so far.

        Parameters
        ----------
        x
            The input of the network.
        decoded
            The image as it was decoded.
        """
        mine = rank(f"{image.header.sop_instance_uid}#{image.frame}")
        if self._rank and mine >= self._rank:
            return
        self._rank, self.modality = mine, image.header.modality
        scores = score_statistics(model.classes, image.probabilities)
        self.values = input_statistics(x, decoded.values) | scores
