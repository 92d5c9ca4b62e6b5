"""The sections of a recipe on data: source, labels, split, augmentation and feeding.

Relative paths start at the folder of the recipe; those of shipped recipes at the working directory.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from training.recipe.label_tables import PatternLabels, TableLabels, Uncertain
from training.recipe.strict import Strict

Condition = str | tuple[str, ...]
Archive = Literal["nbia", "idc"]


class PhantomData(Strict):
    """Phantoms, generated on this machine: the number of studies of each split, and the seed.

    The splits have different seeds, so no patient is in two of them. The recipe has two classes in
    this order: without a lesion, with a lesion.
    """

    source: Literal["phantom"]
    folder: Path = Path("data/phantom")
    train_studies: int = Field(ge=1)
    validation_studies: int = Field(ge=1)
    test_studies: int = Field(ge=1)
    seed: int


class Crop(Strict):
    """The input is the box of the finding with a ``margin``, relative to its longer side."""

    margin: float = Field(default=0.1, ge=0.0, le=5.0)
    square: bool = True


class _Labelled(Strict):
    """``names`` maps the labels of the source to classes of the recipe; "" leaves a row out.

    ``separator`` separates several labels of one image (sigmoid); "" if there is only one. With
    sigmoid "No Finding" that is no class means an image with none of the classes; beside a class it
    is counted, and the class counts.
    ``unlabelled`` and ``unreadable`` say what happens to images without a label, and to images that
    cannot be read: ``refuse`` ends the command, ``drop`` leaves them out and counts them. ``where``
    selects images by DICOM attributes or by columns of the labels file: a value, a glob, or a list
    of them.
    """

    names: dict[str, str] = Field(default_factory=dict)
    separator: str = ""
    unlabelled: Literal["refuse", "drop"] = "refuse"
    unreadable: Literal["refuse", "drop"] = "refuse"
    where: dict[str, Condition] = Field(default_factory=dict)


class DicomData(_Labelled):
    """A folder tree of DICOM files, downloaded if a collection is named.

    Name a ``collection`` or a ``manifest`` (a ``.tcia`` file) to download; without both, ``folder``
    must have the files already. ``archive`` is ``nbia`` (The Cancer Imaging Archive) or ``idc``
    (the Imaging Data Commons); ``server`` is its address, "" for the public one. ``fetch`` selects
    the series to download by columns of the series list, in the form of ``where``. Group 1 of
    ``patient_pattern`` is the patient, if the PatientID has more than that. Only images of the
    modalities of the input are used, at most ``images_per_series`` of a series, evenly spaced (0:
    all). ``masks = "drop"`` leaves out images of two grey levels. ``boxes`` is a folder with a VOC
    XML file for each image, named by its SOP Instance UID; with ``boxed_only`` only images with a
    box are used.
    """

    source: Literal["dicom"]
    folder: Path
    collection: str = ""
    manifest: Path | None = None
    archive: Archive = "nbia"
    server: str = ""
    fetch: dict[str, Condition] = Field(default_factory=dict)
    labels: Annotated[TableLabels | PatternLabels, Field(discriminator="kind")]
    patient_pattern: str = ""
    images_per_series: int = Field(default=0, ge=0)
    masks: Literal["keep", "drop"] = "keep"
    boxes: Path | None = None
    boxed_only: bool = False
    crop: Crop | None = None

    @property
    def masks_labels(self) -> bool:
        """Whether a label may be uncertain, and is left out of the loss then."""
        labels = self.labels
        return (
            isinstance(labels, TableLabels)
            and bool(labels.label_columns)
            and labels.uncertain == "mask"
        )


class PictureData(_Labelled):
    """PNG, JPEG, TIFF, WebP and BMP files, with a labels file or in a folder for each class.

    Without ``labels``, the folder of a picture is its label, and a folder ``train``, ``validation``
    or ``test`` above it (also ``training``, ``testing``, ``val``) is its split. ``patient_column``
    groups the pictures of one patient; a picture without a patient is a patient of its own. The
    first group of ``patient_pattern``, a regular expression, is the patient in ``patient_column``,
    or without one in the path below ``folder``; a picture that it does not match is refused.
    ``label_columns`` are columns with 1 or 0 (or true or false) for each class (empty is 0, -1 is
    uncertain); without them they are the columns named like the classes if there is no
    ``label_column``. An ``uncertain`` label is left out of the loss (``mask``; only sigmoid can),
    counts as ``negative`` or ``positive``, or the picture is left out (``drop``). A picture with
    such a label is not evaluated. Pictures of more than 8 bits are stretched between two
    percentiles, as in the node.
    """

    source: Literal["pictures"]
    folder: Path
    labels: Path | None = None
    file_column: str = "file"
    label_column: str = "label"
    label_columns: tuple[str, ...] = ()
    uncertain: Uncertain = "mask"
    split_column: str = ""
    patient_column: str = ""
    patient_pattern: str = ""
    box_columns: tuple[str, str, str, str] | None = None
    crop: Crop | None = None
    modality: str = "OT"

    @property
    def masks_labels(self) -> bool:
        """Whether a label may be uncertain, and is left out of the loss then."""
        return self.uncertain == "mask"


Data = Annotated[DicomData | PictureData | PhantomData, Field(discriminator="source")]


class Split(Strict):
    """The training, validation and test split, drawn once: ``split.csv`` of the run keeps it.

    ``by = "hash"`` draws patients in an order by a hash of their identifier, so that the patients
    of each class have the given shares; a class is in each split if enough patients have it. The
    same data give the same split. ``by = "given"`` uses the splits of the labels; a missing
    validation split is drawn from the training split. ``group`` is the unit that stays in one
    split: the patient, or also all images that are nearly the same. Another ``salt`` gives another
    draw.

    ``file`` is a ``split.csv`` of another run, or a CSV file with at least the columns ``file``
    (below ``data.folder``) and ``split``. Its splits are used, and nothing is drawn. Images whose
    labels, boxes, patients, pixels or near-duplicate groups differ from its columns are refused, as
    are images that only the file or only the folder has.

    ``folds`` is the number of folds of a cross-validation; 0 for none. Then ``test`` is not used:
    each fold is the test split of one network, and ``validation`` is the share of the others that
    chooses its best epoch. ``fold`` is set by ``pacs-ai train`` for the network of each fold.

    ``leakage`` is what happens if two splits share a patient, the same pixels, or nearly the same
    images: ``refuse``, ``drop`` (from training first, never from test) or ``report``. Two images
    are nearly the same if their 64-bit difference hashes differ in at most ``near_bits`` bits, and
    the edges of their thumbnails correlate by at least ``near_correlation``.
    """

    file: Path | None = None
    folds: int = Field(default=0, ge=0, le=20)
    fold: int = Field(default=0, ge=0)
    by: Literal["hash", "given"] = "hash"
    group: Literal["patient", "near-duplicates"] = "patient"
    validation: float = Field(default=0.15, gt=0.0, lt=1.0)
    test: float = Field(default=0.15, ge=0.0, lt=1.0)
    salt: str = ""
    leakage: Literal["refuse", "drop", "report"] = "refuse"
    near_bits: int = Field(default=8, ge=0, le=16)
    near_correlation: float = Field(default=0.95, gt=0.0, le=1.0)

    @model_validator(mode="after")
    def _has_folds(self) -> "Split":
        if self.folds == 1 or self.fold > self.folds:
            raise ValueError("split.folds is at least 2, and split.fold one of them; 0 for none")
        if self.folds and (self.by == "given" or self.file is not None):
            raise ValueError('split.folds are drawn: they need split.by = "hash" and no split.file')
        return self

    @model_validator(mode="after")
    def _leaves_some_for_training(self) -> "Split":
        if self.validation + self.test >= 1.0:
            raise ValueError("split.validation and split.test leave nothing for training")
        return self


class Augmentation(Strict):
    """Random changes of training images; 0 or false switches one off.

    ``rotation_degrees``, ``shift`` (relative to the side), ``zoom`` and ``shear`` (the tangent of
    its angle) are drawn between minus and plus the value. Images are between 0 (black) and 1:
    ``contrast`` changes the width of the window by a factor, ``brightness`` shifts it, ``gamma``
    applies a power between 1 / (1 + gamma) and 1 + gamma, ``sharpness`` blurs or sharpens,
    ``noise`` is the largest standard deviation of Gaussian noise. ``fill`` is the value of pixels
    from outside of the image. ``steps = "fine-tuning"`` changes no image while the base is frozen,
    so that the features of each image are computed once.

    With ``changes`` above 0 each image gets that many of the changes that are switched on, drawn
    anew for each image (RandAugment; Cubuk et al., 2020); 0 gives each image all of them. Flips are
    drawn apart from these. Nothing that is switched off is ever drawn.

    ``mixup`` and ``cutmix`` are the parameter of a beta distribution; usual are 0.2 to 1. MixUp
    (Zhang et al., 2018) blends two images of a batch, CutMix (Yun et al., 2019) copies a rectangle
    of one into another. The labels are blended in the same proportion; a class that is uncertain in
    one of the two images is left out of the loss. With both, each image gets one of them.

    Anatomy: if a class names a side (left or right), flips, rotations above 90 degrees and
    ``cutmix`` are refused. If the model is for chest radiographs only (``input.modalities`` and
    ``export.applicability``), flips and rotations above 90 degrees are refused: the heart lies on
    the left.
    """

    steps: Literal["all", "fine-tuning"] = "all"

    flip_horizontal: bool = False
    flip_vertical: bool = False
    rotation_degrees: float = Field(default=0.0, ge=0.0, le=180.0)
    shift: float = Field(default=0.0, ge=0.0, lt=1.0)
    zoom: float = Field(default=0.0, ge=0.0, lt=1.0)
    shear: float = Field(default=0.0, ge=0.0, lt=1.0)
    fill: Literal["nearest", "black"] = "nearest"
    contrast: float = Field(default=0.0, ge=0.0, lt=1.0)
    brightness: float = Field(default=0.0, ge=0.0, lt=1.0)
    gamma: float = Field(default=0.0, ge=0.0, le=4.0)
    sharpness: float = Field(default=0.0, ge=0.0, lt=1.0)
    noise: float = Field(default=0.0, ge=0.0, lt=1.0)
    changes: int = Field(default=0, ge=0)
    mixup: float = Field(default=0.0, ge=0.0, le=10.0)
    cutmix: float = Field(default=0.0, ge=0.0, le=10.0)

    @property
    def flips(self) -> bool:
        """Whether images may be mirrored."""
        return self.flip_horizontal or self.flip_vertical

    @property
    def moves(self) -> bool:
        """Whether images are mirrored, rotated, shifted, zoomed or sheared."""
        return self.flips or max(self.rotation_degrees, self.shift, self.zoom, self.shear) > 0

    @property
    def mixes(self) -> bool:
        """Whether two images are mixed."""
        return max(self.mixup, self.cutmix) > 0

    @property
    def varies(self) -> bool:
        """Whether an image is another one in each epoch."""
        intensities = (self.contrast, self.brightness, self.gamma, self.sharpness, self.noise)
        return self.moves or self.mixes or max(intensities) > 0


class Feeding(Strict):
    """How images are given to the network.

    ``images_per_epoch`` 0 means each image once, or several times if there are fewer than
    ``least_images_per_epoch``: with few images an epoch has few steps otherwise. ``balance``
    balances the classes: ``draw`` repeats rare ones, ``weight`` gives them a higher weight.
    ``balance_by`` names subgroups that are balanced as well, such as modality. ``cache`` keeps
    preprocessed images in memory or in the run folder; ``auto`` chooses by size. ``workers`` 0
    means one for each processor core, at most 8.
    """

    batch: int = Field(default=32, ge=1)
    images_per_epoch: int = Field(default=0, ge=0)
    least_images_per_epoch: int = Field(default=0, ge=0)
    balance: Literal["none", "draw", "weight"] = "none"
    balance_by: tuple[str, ...] = ()
    cache: Literal["auto", "memory", "disk"] = "auto"
    workers: int = Field(default=0, ge=0, le=64)
