"""What the groups of a report are about: the study, its images, and the classes they state."""

from collections.abc import Sequence
from dataclasses import dataclass

from pacs_ai.domain import ClassSpec, Decision, ImagePrediction, StudyPrediction
from pacs_ai.results.content.selection import reading_order, reported_images

TOLD = (Decision.PRESENT, Decision.UNDETERMINED)
"""Decisions that are pointed at."""

_MANY = 6


@dataclass(frozen=True, slots=True)
class Level:
    """What a set of groups is about: one image, or the study as a whole."""

    name: str
    anchor: ImagePrediction
    sources: tuple[ImagePrediction, ...]
    probabilities: tuple[float, ...]
    study: bool
    incomplete: bool = False

    @property
    def outlier(self) -> float | None:
        """How far the image that speaks for the level lies from those of training."""
        return self.anchor.outlier

    def decision(self, index: int, spec: ClassSpec) -> Decision | None:
        """Say what the probability of a class means; None for one that is not decided upon."""
        return spec.decide(self.probabilities[index], incomplete=self.incomplete)

    def pointed_at(self, index: int, spec: ClassSpec) -> bool:
        """Tell whether the heat map of a class says where: it was found, or nearly."""
        return spec.decide(self.probabilities[index]) in TOLD

    def ranking(self, classes: Sequence[ClassSpec]) -> list[int]:
        """Order the classes as they are read: present, undetermined, then the more probable."""
        return sorted(
            range(len(classes)),
            key=lambda k: reading_order(self.decision(k, classes[k]), self.probabilities[k]),
        )

    def tracking_key(self) -> tuple[str, ...]:
        """Tell, with the class, a group apart from all others of the series."""
        if self.study:
            return "study", *sorted(image.header.sop_instance_uid for image in self.sources)
        return "image", self.anchor.header.sop_instance_uid, str(self.anchor.frame)


def report_levels(prediction: StudyPrediction) -> list[Level]:
    """List the study, if it has several images, then each reported image.

    Of a study that was analysed incompletely only images with a finding are reported: that
    nothing was found on an image is easily read as that nothing is there.
    """
    levels = []
    incomplete = prediction.coverage.incomplete
    if len(prediction.images) > 1 or incomplete:
        levels.append(
            Level(
                name="study",
                anchor=prediction.images[prediction.decisive],
                sources=prediction.images,
                probabilities=prediction.probabilities,
                study=True,
                incomplete=incomplete,
            )
        )
    for index in reported_images(prediction):
        image = prediction.images[index]
        if incomplete and (len(prediction.images) == 1 or not _has_finding(prediction, image)):
            continue
        levels.append(
            Level(
                name=image_name(index, image),
                anchor=image,
                sources=(image,),
                probabilities=image.probabilities,
                study=False,
            )
        )
    return levels


def _has_finding(prediction: StudyPrediction, image: ImagePrediction) -> bool:
    pairs = zip(prediction.model.classes, image.probabilities, strict=True)
    return any(spec.decide(probability) in TOLD for spec, probability in pairs)


def image_name(index: int, image: ImagePrediction) -> str:
    """Name an image for a reader: by its instance number, or by its place in the study."""
    frame = f", frame {image.frame}" if image.header.frames > 1 else ""
    return f"image {image.header.instance_number or index + 1}{frame}"


def listed(prediction: StudyPrediction, level: Level) -> list[int]:
    """Choose and order the classes that a level states.

    Where the study states many classes that are decided upon one by one, its images state what is
    present there or undetermined, or what came nearest. A softmax is stated whole.
    """
    classes = prediction.model.classes
    ranked = level.ranking(classes)
    few = len(classes) <= _MANY or prediction.model.activation == "softmax"
    if few or level.study or len(prediction.images) == 1:
        return ranked
    told = [index for index in ranked if level.decision(index, classes[index]) in TOLD]
    return told or ranked[:1]
