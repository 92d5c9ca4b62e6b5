"""Generated studies: DICOM images of made-up anatomy, for training, demonstration and tests.

The same seed gives the same bytes. Nothing in them comes from a patient.
"""

from pacs_ai.phantom.collection import (
    LABELS_FILE,
    LabelRow,
    Planned,
    read_labels,
    write_phantom_collection,
)
from pacs_ai.phantom.shapes import Box
from pacs_ai.phantom.study import (
    MODALITIES,
    Modality,
    PhantomImage,
    PhantomStudy,
    write_phantom_study,
)

__all__ = [
    "LABELS_FILE",
    "MODALITIES",
    "Box",
    "LabelRow",
    "Modality",
    "PhantomImage",
    "PhantomStudy",
    "Planned",
    "read_labels",
    "write_phantom_collection",
    "write_phantom_study",
]
