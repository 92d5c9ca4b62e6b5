from pathlib import Path

import pytest

from pacs_ai.phantom.study import MODALITIES, write_phantom_study


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One image of each kind of phantom, by modality."""
    folder = tmp_path_factory.mktemp("phantoms")
    return {
        modality: write_phantom_study(folder / modality, modality, 5, lesion=True, columns=64)
        .images[0]
        .path
        for modality in MODALITIES
    }
