"""What this node makes, of sources of many kinds, keeps the rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pacs_ai.coverage import NOTHING, LeftOut, Unseen
from pacs_ai.domain import DOCUMENTS, ClassSpec, ResultKind
from pacs_ai.prediction_sets import PredictionSets
from pacs_ai.results.build import build_results
from tests.integration.generated_sources import GENERATED
from tests.unit.air.result_folder import faults
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    TWO_CLASSES,
    blob,
    ct_slice,
    grey,
    image,
    model,
    radiograph,
    save,
    study,
)

OBJECTS = [kind for kind in ResultKind if kind not in DOCUMENTS]


@dataclass(frozen=True)
class Case:
    sources: Sequence[Dataset]
    lesion: tuple[float, ...] = (0.9,)
    classes: tuple[ClassSpec, ...] = TWO_CLASSES
    frames: bool = False
    flat: bool = False
    sets: PredictionSets | None = None
    left_out: LeftOut = NOTHING
    kinds: tuple[ResultKind, ...] = tuple(OBJECTS)


SLICES = [ct_slice(number) for number in range(1, 5)]
FOURTEEN = tuple(round(0.93 - 0.065 * n, 4) for n in range(14))
CASES = {
    "ct": Case([ct_slice()]),
    "ct series": Case(SLICES, (0.1, 0.7, 0.9, 0.2)),
    "ct series, negative": Case(SLICES, (0.1, 0.2, 0.1, 0.3)),
    "mr": Case([ct_slice(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")]),
    "dx, 14 classes": Case([radiograph()], classes=FOURTEEN_CLASSES),
    "dx, no heat map points anywhere": Case(
        [radiograph()], flat=True, kinds=(ResultKind.REPORT, ResultKind.CAPTURE)
    ),
    "mg": Case([GENERATED["generated mg"]]),
    "xa, frames": Case([GENERATED["generated xa"]], (0.2, 0.9, 0.8), frames=True),
    "us, frames, negative": Case([GENERATED["generated us"]], (0.2, 0.1, 0.3), frames=True),
    "undetermined": Case(
        [ct_slice()], (0.6,), sets=PredictionSets(0.9, "findings", (0.7, 0.8), (0.2, 0.3))
    ),
    "most was not looked at": Case(
        [ct_slice()], left_out=LeftOut(Unseen(27, ("image 2",)), Unseen(1), thinned=9)
    ),
    "a report alone": Case([ct_slice()], kinds=(ResultKind.REPORT,)),
    "a segmentation alone": Case([ct_slice()], kinds=(ResultKind.SEG,)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_results_keep_the_rules(case: Case, tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "results"
    images.mkdir()
    out.mkdir()
    paths = [save(one, images / f"{n}.dcm") for n, one in enumerate(case.sources)]
    identity = replace(
        model(case.classes), activation="sigmoid" if len(case.classes) > 2 else "softmax"
    )
    seen = []
    for n, lesion in enumerate(case.lesion):
        chances = FOURTEEN if case.classes is FOURTEEN_CLASSES else (1 - lesion, lesion)
        path, frame = (paths[0], n + 1) if case.frames else (paths[n], 1)
        heat = np.zeros((14, 14), dtype=np.float32) if case.flat else blob()
        seen.append(image(path, chances, heat, frame))
    prediction = replace(study(seen, replace(identity, sets=case.sets)), left_out=case.left_out)
    for one in build_results(prediction, case.kinds, CONTEXT, grey):
        one.write(out / f"{one.kind}-{one.number}.dcm")
    assert faults([out, images]) == []
