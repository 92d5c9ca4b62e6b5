"""Levels of a report: the study and its images, and the classes that each level states."""

from dataclasses import dataclass

from pacs_ai.domain import Decision, ImagePrediction, ModelIdentity, StudyPrediction
from pacs_ai.results.common.codes import class_title
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.content.selection import reading_order, reported_images
from pacs_ai.uids import derived_uid

NOTABLE_DECISIONS = (Decision.PRESENT, Decision.UNDETERMINED)
"""Decisions that a report highlights."""

_MANY = 6


@dataclass(frozen=True, slots=True)
class Tracking:
    """Tracking Identifier and UID of a finding: the same in each object that shows it."""

    identifier: str
    uid: str


@dataclass(frozen=True, slots=True)
class ReportLevel:
    """One level of a report: the study as a whole, or one image."""

    model: ModelIdentity
    name: str
    anchor: ImagePrediction
    sources: tuple[ImagePrediction, ...]
    probabilities: tuple[float, ...]
    study: bool
    incomplete: bool = False

    @property
    def outlier(self) -> float | None:
        """Outlier score of the level's image; above 1 it is unlike the training images."""
        return self.anchor.outlier

    def decision(self, index: int) -> Decision | None:
        """Return what the probability of a class means; None for a class without a decision."""
        return self.model.decide(index, self.probabilities, incomplete=self.incomplete)

    def pointed_at(self, index: int) -> bool:
        """Tell whether the report states the peak of the heat map: present or undetermined."""
        return self.model.decide(index, self.probabilities) in NOTABLE_DECISIONS

    def ranking(self) -> list[int]:
        """Order the classes as they are read: present, undetermined, then the more probable."""
        return sorted(
            range(len(self.probabilities)),
            key=lambda k: reading_order(self.decision(k), self.probabilities[k]),
        )

    def tracking(self, index: int, key: tuple[str, ...]) -> Tracking:
        """Name the finding that a class is at this level.

        Parameters
        ----------
        key
            See `tracking_key`.
        """
        return Tracking(
            f"{class_title(self.model.classes[index])} / {self.name}", self.tracking_uid(index, key)
        )

    def tracking_uid(self, index: int, key: tuple[str, ...]) -> str:
        """Tracking UID of the finding that a class is at this level."""
        code = self.model.classes[index].code.value
        if self.study:
            images = sorted(image.header.sop_instance_uid for image in self.sources)
            return derived_uid("tracking", *key, "study", *images, code)
        return image_tracking_uid(key, self.anchor, code)


def tracking_key(context: ResultContext, model: ModelIdentity, study_uid: str) -> tuple[str, ...]:
    """Return what all tracking UIDs of a study depend on."""
    return context.series_key(model, "finding", study_uid)


def image_tracking_uid(key: tuple[str, ...], image: ImagePrediction, code: str) -> str:
    """Tracking UID of the finding that a class, by its code, is on an image."""
    return derived_uid(
        "tracking", *key, "image", image.header.sop_instance_uid, str(image.frame), code
    )


def finding_level(prediction: StudyPrediction) -> ReportLevel:
    """Return the level that says what was found: the study, or its only image."""
    return report_levels(prediction)[0]


def report_levels(prediction: StudyPrediction) -> list[ReportLevel]:
    """List the study, if it has several images, then each reported image.

    Of a study that was analysed incompletely, only images with a finding are reported: readers
    easily take "nothing found on this image" for "nothing in the study".
    """
    levels = []
    incomplete = prediction.coverage.incomplete
    if len(prediction.images) > 1 or incomplete:
        levels.append(
            ReportLevel(
                model=prediction.model,
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
        if incomplete and (len(prediction.images) == 1 or not tells(prediction.model, image)):
            continue
        levels.append(
            ReportLevel(
                model=prediction.model,
                name=image_name(index, image),
                anchor=image,
                sources=(image,),
                probabilities=image.probabilities,
                study=False,
            )
        )
    return levels


def tells(model: ModelIdentity, image: ImagePrediction) -> bool:
    """Tell whether any class is present or undetermined on an image."""
    classes = range(len(model.classes))
    return any(model.decide(index, image.probabilities) in NOTABLE_DECISIONS for index in classes)


def image_name(index: int, image: ImagePrediction) -> str:
    """Name an image for a reader: by its instance number, or by its place in the study."""
    frame = f", frame {image.frame}" if image.header.frames > 1 else ""
    return f"image {image.header.instance_number or index + 1}{frame}"


def stated_classes(prediction: StudyPrediction, level: ReportLevel) -> list[int]:
    """Choose and order the classes that a level states.

    Where a model has many independent classes, an image states only the classes that are present
    or undetermined there, or the nearest one. All classes of a softmax are stated.
    """
    ranked = level.ranking()
    few = len(ranked) <= _MANY or prediction.model.activation == "softmax"
    if few or level.study or len(prediction.images) == 1:
        return ranked
    notable = [index for index in ranked if level.decision(index) in NOTABLE_DECISIONS]
    return notable or ranked[:1]
