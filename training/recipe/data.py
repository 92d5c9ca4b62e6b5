"""The data half of a recipe: where images and labels come from, how they are split and fed.

Frozen, and an unknown key is an error. Relative paths start at the recipe's folder (those of the
shipped recipes at the working directory).
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

KeyName = Literal["PatientID", "StudyUID", "SeriesUID", "SOPInstanceUID"]
Condition = str | tuple[str, ...]
Archive = Literal["nbia", "idc"]


class Strict(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PhantomData(Strict):
    """Phantoms, drawn on this machine: how many studies each split gets, and the seed.

    Seeds of the splits differ, so no patient is in two of them. The classes are those of the
    recipe, in its order: without a lesion, with one.
    """

    source: Literal["phantom"]
    folder: Path = Path("data/phantom")
    train_studies: int = Field(ge=1)
    validation_studies: int = Field(ge=1)
    test_studies: int = Field(ge=1)
    seed: int


class LabelFile(Strict):
    """A CSV file, and the split that all of its rows belong to ("" if it does not say)."""

    file: Path
    split: Literal["", "train", "validation", "test"] = ""


class TableLabels(Strict):
    """Labels from CSV files; the columns are named here.

    ``key`` says what ``key_column`` holds; with ``key_pattern``, a regular expression, its group 1
    is the key (for columns that hold paths). ``vote_columns`` are the answers of several readers:
    the majority is the label where ``label_column`` is empty. ``patient_column`` replaces the
    PatientID as the unit of splitting. ``box_columns`` are x0, y0, x1, y1 of the finding, in
    pixels, half open; a row without numbers there has no box.
    """

    kind: Literal["table"]
    files: tuple[LabelFile, ...] = Field(min_length=1)
    key: KeyName
    key_column: str
    key_pattern: str = ""
    label_column: str = "label"
    vote_columns: tuple[str, ...] = ()
    split_column: str = ""
    patient_column: str = ""
    box_columns: tuple[str, str, str, str] | None = None


class PatternLabels(Strict):
    """Labels from the PatientID: group 1 of ``pattern``, a regular expression."""

    kind: Literal["patient-id"]
    pattern: str


class Crop(Strict):
    """The input is the finding's box, grown by ``margin`` (share of its longer side)."""

    margin: float = Field(default=0.1, ge=0.0, le=5.0)
    square: bool = True


class _Labelled(Strict):
    """``names`` turns what a label source says into classes of the recipe; "" leaves a row out.

    ``separator`` parts several labels of one image (sigmoid heads); "" where there is one.
    Images without a label, and images that cannot be read, end the command, or are left out and
    counted: ``unlabelled`` and ``unreadable`` say which. ``where`` narrows what is used, by
    attributes of DICOM files or columns of a labels file: a literal, a glob, or a list of them.
    """

    names: dict[str, str] = Field(default_factory=dict)
    separator: str = ""
    unlabelled: Literal["refuse", "drop"] = "refuse"
    unreadable: Literal["refuse", "drop"] = "refuse"
    where: dict[str, Condition] = Field(default_factory=dict)


class DicomData(_Labelled):
    """A tree of DICOM files, downloaded where a collection is named.

    ``collection``, ``manifest`` (a ``.tcia`` file) or neither: then ``folder`` has to be filled
    already. ``archive`` is who has it: ``nbia``, The Cancer Imaging Archive, or ``idc``, the
    Imaging Data Commons; ``server`` is its address, "" for the public one. ``fetch`` narrows what
    is downloaded by columns of the archive's series list, in the form of ``where``. Group 1 of
    ``patient_pattern`` is the patient where the PatientID holds more than that. Only images of the
    input's modalities are used, at most ``images_per_series`` of a series, spread evenly (0: all).
    ``masks = "drop"`` leaves out images of two grey levels.
    ``boxes`` is a folder with a VOC XML file for each image, named by its SOP Instance UID; with
    ``boxed_only`` only images with a box are used.
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


class PictureData(_Labelled):
    """PNG and JPEG files, with ``labels.csv`` or in a folder for each class.

    Without ``labels`` the name of the folder that holds a picture is its label, and ``train``,
    ``validation`` and ``test`` further up (also ``training``, ``testing``, ``val``) its split.
    ``patient_column`` groups pictures of one patient; a picture without one stands for itself.
    """

    source: Literal["pictures"]
    folder: Path
    labels: Path | None = None
    file_column: str = "file"
    label_column: str = "label"
    split_column: str = ""
    patient_column: str = ""
    box_columns: tuple[str, str, str, str] | None = None
    crop: Crop | None = None
    modality: str = "OT"


Data = Annotated[DicomData | PictureData | PhantomData, Field(discriminator="source")]


class Split(Strict):
    """Who learns and who judges.

    ``by = "hash"`` draws patients by a hash of their id: a patient stays where it is when others
    come or go. ``by = "given"`` takes the splits that the labels name; a validation split that
    they lack is drawn from training by hash. ``group`` is what must not be torn apart: the
    patient, or besides that all images that are nearly the same. ``salt`` gives another draw.

    ``leakage`` is what happens where two splits share a patient, the same pixels, or pictures
    nearly the same: ``refuse``, ``drop`` (from training first, never from test) or ``report``.
    Nearly the same are two images whose 64-bit difference hashes are at most ``near_bits`` apart
    and the edges of whose thumbnails correlate by ``near_correlation`` or more.
    """

    by: Literal["hash", "given"] = "hash"
    group: Literal["patient", "near-duplicates"] = "patient"
    validation: float = Field(default=0.15, gt=0.0, lt=1.0)
    test: float = Field(default=0.15, ge=0.0, lt=1.0)
    salt: str = ""
    leakage: Literal["refuse", "drop", "report"] = "refuse"
    near_bits: int = Field(default=8, ge=0, le=16)
    near_correlation: float = Field(default=0.95, gt=0.0, le=1.0)

    @model_validator(mode="after")
    def _leaves_some_for_training(self) -> "Split":
        if self.validation + self.test >= 1.0:
            raise ValueError("validation and test leave nothing for training")
        return self


class Augmentation(Strict):
    """What is varied from epoch to epoch; 0 or false switches a step off.

    ``rotation_degrees``, ``shift`` (share of the side) and ``zoom`` are drawn between plus and
    minus the value. The image lies between 0 (black) and 1: ``contrast`` and ``brightness`` move
    its window, relative and absolute, ``gamma`` bends it by a power between 1 / (1 + gamma) and
    1 + gamma, ``noise`` is the largest standard deviation. ``fill`` is what comes in from outside.
    """

    flip_horizontal: bool = False
    flip_vertical: bool = False
    rotation_degrees: float = Field(default=0.0, ge=0.0, le=180.0)
    shift: float = Field(default=0.0, ge=0.0, lt=1.0)
    zoom: float = Field(default=0.0, ge=0.0, lt=1.0)
    fill: Literal["nearest", "black"] = "nearest"
    contrast: float = Field(default=0.0, ge=0.0, lt=1.0)
    brightness: float = Field(default=0.0, ge=0.0, lt=1.0)
    gamma: float = Field(default=0.0, ge=0.0, le=4.0)
    noise: float = Field(default=0.0, ge=0.0, lt=1.0)


class Feeding(Strict):
    """How images reach the network: ``[feeding]`` of a recipe.

    ``images_per_epoch`` 0 means each image once. ``balance`` evens out classes: ``draw`` repeats
    the rare ones, ``weight`` weighs them; ``balance_by`` names what is evened out besides the
    label (subgroups, such as modality). ``cache`` holds preprocessed images in memory or in the
    run's folder; ``auto`` chooses by size. ``workers`` 0 means one a processor core, at most 8.
    """

    batch: int = Field(default=32, ge=1)
    images_per_epoch: int = Field(default=0, ge=0)
    balance: Literal["none", "draw", "weight"] = "none"
    balance_by: tuple[str, ...] = ()
    cache: Literal["auto", "memory", "disk"] = "auto"
    workers: int = Field(default=0, ge=0, le=64)
