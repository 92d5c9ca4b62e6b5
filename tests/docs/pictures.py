"""The pictures of results in docs/pictures, drawn by what the code makes now.

``python -m tests.docs.pictures [FOLDER]`` writes them. All show phantoms, analysed by the
demonstration's model; nothing of a patient gets there. A page becomes a picture by ``pdftoppm``
(package poppler-utils), and OHIF is seen in a browser (`tests.docs.browser_pictures`): what is not
installed leaves pictures out, with the reason. Look at each picture before you commit it. Those of
the node's own page (``page-*``) come from test-output/page, where tests/page leaves them.
"""

import copy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image
from pydicom.dataset import Dataset

from pacs_ai.analysis.predict import Source, predict_study
from pacs_ai.demo.studies import shipped_studies
from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.pixels import colours, decode_frame, render_frame
from pacs_ai.domain import ImagePrediction, ResultKind, StudyPrediction
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.phantom import Modality, write_phantom_study
from pacs_ai.results.build import BuiltResult, build_results
from pacs_ai.results.common.context import ResultContext
from tests.docs.browser_pictures import browser_pictures
from tests.integration.generated_sources import GENERATED
from tests.unit.results.samples import CONTEXT as SAMPLE
from tests.unit.results.samples import save

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
CONTEXT: ResultContext = replace(SAMPLE, site="pictures of the documentation")

_SEED = 11
_SLICES = 12
_LONGEST = 1092  # pixels of the longer side of a picture
_TILE = 400
_GAP = 8
_WHITE = 255
_TINT = (1.0, 0.82, 0.6)
_STORED = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType"),
)
"""What the stored values of a CT mean."""

Rgb = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Material:
    """The demonstration's model, and a folder for the images that it is shown."""

    classifier: Classifier
    folder: Path

    def analysed(self, files: Sequence[Path]) -> StudyPrediction:
        """Analyse a study as a node does."""
        sources = [Source(path, number) for number, path in enumerate(files, 1)]
        return predict_study(self.classifier, sources).prediction

    def phantom(self, modality: Modality, seed: int = _SEED) -> StudyPrediction:
        """Analyse a phantom with a lesion."""
        folder = self.folder / f"{modality}-{seed}"
        files = write_phantom_study(folder, modality, seed, lesion=True, slices=_SLICES).files
        return self.analysed(files)

    def demonstration(self) -> StudyPrediction:
        """Analyse the phantom that `pacs-ai demo` sends."""
        return self.analysed(shipped_studies(self.folder / "demo")[0].files)

    def of_any_kind(self, path: Path) -> StudyPrediction:
        """Let the model look at the first frame of an image that it was not made for."""
        output = self.classifier.predict_image(render_frame(decode_frame(path)).grey)
        header = read_header(path)
        seen = ImagePrediction(header, 1, output.probabilities, output.saliency, output.outlier)
        return self.classifier.aggregate([seen])


def results(prediction: StudyPrediction, kind: ResultKind) -> list[Dataset]:
    """Make the objects of a kind."""
    made = build_results(prediction, [kind], CONTEXT, _shown)
    return [one.dataset for one in made if isinstance(one, BuiltResult)]


def _shown(prediction: ImagePrediction) -> npt.NDArray[np.float32] | Rgb:
    """The image as a node shows it: in its colours, or grey."""
    decoded = decode_frame(prediction.header.path, prediction.frame)
    coloured = colours(decoded)
    return render_frame(decoded).grey if coloured is None else coloured


def first(prediction: StudyPrediction, kind: ResultKind) -> Rgb:
    """The pixels of the first object of a kind."""
    return np.asarray(results(prediction, kind)[0].pixel_array, dtype=np.uint8)


def stack(material: Material) -> Rgb:
    """Four neighbours of a stack, the decisive image among them."""
    prediction = material.phantom("CT")
    begin = min(max(0, prediction.decisive - 1), _SLICES - 4)
    made = results(prediction, ResultKind.STACK)[begin : begin + 4]
    return beside([np.asarray(one.pixel_array, dtype=np.uint8) for one in made], _TILE)


def map_and_segmentation(material: Material) -> Rgb:
    """The map as grey values, and the segmentation, of the demonstration's phantom."""
    prediction = material.demonstration()
    heat, segments = (
        results(prediction, kind)[0].pixel_array for kind in (ResultKind.MAP, ResultKind.SEG)
    )
    grey = [np.rint(_WHITE * np.squeeze(one)).astype(np.uint8) for one in (heat, segments)]
    return beside([np.repeat(one[..., None], 3, axis=2) for one in grey], _TILE)


def kinds_of_sources(material: Material) -> Rgb:
    """Captures of CT, MR, CR, DX, of ultrasound in colours, and of a frame of an enhanced CT."""
    seen = [
        *(material.phantom(modality) for modality in ("CT", "MR", "CR", "DX")),
        *(material.of_any_kind(path) for path in (ultrasound(material), enhanced(material))),
    ]
    return rows_of([first(one, ResultKind.CAPTURE) for one in seen], 3, _TILE)


def ultrasound(material: Material) -> Path:
    """Write a radiograph of a phantom as an ultrasound image in colours: what counts is these."""
    phantom = material.phantom("DX", _SEED + 1)
    grey = render_frame(decode_frame(phantom.images[0].header.path)).grey
    made = copy.deepcopy(GENERATED["generated us in colours"])
    made.Rows, made.Columns = grey.shape
    made.PixelData = np.rint(_WHITE * grey[..., None] * np.array(_TINT)).astype(np.uint8).tobytes()
    return save(made, material.folder / "ultrasound.dcm")


def enhanced(material: Material) -> Path:
    """Write the slice of a CT phantom that shows its lesion best as frames of an enhanced CT."""
    phantom = material.phantom("CT", _SEED + 1)
    source = pydicom.dcmread(phantom.images[phantom.decisive].header.path)
    made = copy.deepcopy(GENERATED["generated enhanced ct"])
    for keyword in _STORED:
        setattr(made, keyword, source[keyword].value)
    made.PixelData = source.PixelData * int(made.NumberOfFrames)
    return save(made, material.folder / "enhanced.dcm")


def page(material: Material) -> Rgb | str:
    """The page of the demonstration's phantom."""
    program = shutil.which("pdftoppm")
    if program is None:
        return "pdftoppm (package poppler-utils) is not installed"
    [made] = results(material.demonstration(), ResultKind.PDF)
    pdf = material.folder / "page.pdf"
    pdf.write_bytes(made.EncapsulatedDocument)
    out = material.folder / "page"
    command = [program, "-png", "-singlefile", "-scale-to", str(_LONGEST), pdf, out]
    subprocess.run(command, check=True)
    return np.asarray(Image.open(out.with_suffix(".png")).convert("RGB"))


MAKERS: Mapping[str, Callable[[Material], Rgb | str]] = {
    "demo-overlay": lambda material: first(material.demonstration(), ResultKind.CAPTURE),
    "result-captures": kinds_of_sources,
    "result-contact-sheet": lambda material: first(
        material.phantom("CT"), ResultKind.CONTACT_SHEET
    ),
    "result-map-seg": map_and_segmentation,
    "result-pdf": page,
    "result-side-by-side": lambda material: first(
        material.demonstration(), ResultKind.SIDE_BY_SIDE
    ),
    "result-stack": stack,
}
"""By the names of the pictures: what draws them, or says why it cannot."""


def fitted(picture: Rgb, longest: int) -> Rgb:
    """Scale a picture down to a length of its longer side; a smaller one stays as it is."""
    scale = min(1.0, longest / max(picture.shape[:2]))
    rows, columns = (round(scale * side) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def beside(pictures: Sequence[Rgb], height: int) -> Rgb:
    """Put pictures into a row, with the same height and the same distances, on white."""
    scaled = [_of_height(one, height) for one in pictures]
    gap = np.full((height, _GAP, 3), _WHITE, dtype=np.uint8)
    parts = [part for one in scaled for part in (gap, one)][1:]
    return np.hstack(parts)


def rows_of(pictures: Sequence[Rgb], across: int, height: int) -> Rgb:
    """Put pictures into rows, each as wide as the widest."""
    rows = [beside(pictures[n : n + across], height) for n in range(0, len(pictures), across)]
    width = max(row.shape[1] for row in rows)
    sheet = []
    for row in rows:
        scaled = cv2.resize(row, (width, round(height * width / row.shape[1])))
        sheet += [np.full((_GAP, width, 3), _WHITE, dtype=np.uint8), scaled]
    return np.vstack(sheet[1:])


def _of_height(picture: Rgb, height: int) -> Rgb:
    columns = round(picture.shape[1] * height / picture.shape[0])
    return np.asarray(
        cv2.resize(picture, (columns, height), interpolation=cv2.INTER_AREA), np.uint8
    )


def write_pictures(folder: Path, classifier: Classifier) -> dict[str, str]:
    """Write the pictures that need no browser.

    Returns
    -------
    dict of str
        By the name of a picture why it was left out; "" if it was written.
    """
    said = {}
    with tempfile.TemporaryDirectory() as name:
        material = Material(classifier, Path(name))
        for picture, make in MAKERS.items():
            said[picture] = write(folder / f"{picture}.png", make(material))
    return said


def write(path: Path, made: Rgb | str, *, few: bool = False) -> str:
    """Write a picture, perhaps with few colours; gives the reason if there is none, else ""."""
    if isinstance(made, str):
        return made
    picture = Image.fromarray(fitted(made, _LONGEST))
    if few:
        picture = picture.quantize(256, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    return ""


def main() -> None:
    """Write all pictures, and say which."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    classifier = Classifier.load(load_bundle("demo"), 2)
    said = write_pictures(folder, classifier)
    for picture, made in browser_pictures(classifier).items():
        said[picture] = write(folder / f"{picture}.png", made, few=True)
    for picture, reason in said.items():
        line = f"{picture}: left out, {reason}" if reason else f"{folder / picture}.png"
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
