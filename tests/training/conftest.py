"""Small recipes and phantoms for the tests that train."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from pacs_ai.errors import PeerUnreachable
from pacs_ai.phantom import read_labels, write_phantom_collection, write_phantom_study
from tests.conftest import missing
from tests.training.nbia_server import NbiaServer, serving
from tests.training.quick_run import Command, command_of, write_recipe
from training.data.samples import Dataset, Sample
from training.foreign.weights import fetch_weights
from training.pretrained.folder import FOLDER, find_record
from training.recipe.recipe import Recipe, load_recipe

LITE0 = "efficientnet-lite0"

SMALL: dict[str, dict[str, object]] = {
    "network": {"stem": 4, "stages": [4, 6, 8], "blocks": 1},
    "feeding": {"images_per_epoch": 48, "batch": 8},
    "optimisation": {"epochs": 2},
}
"""The demonstration's recipe with a tiny network and a few steps of training."""


@pytest.fixture(scope="session")
def demo_recipe() -> Recipe:
    return load_recipe("phantom")


@pytest.fixture(scope="session")
def small_recipe() -> Recipe:
    return load_recipe("phantom", SMALL)


@pytest.fixture(scope="session")
def small() -> Callable[..., Recipe]:
    """The small recipe with other values, given as sections."""

    def make(**sections: dict[str, object]) -> Recipe:
        names = {*SMALL, *sections}
        return load_recipe(
            "phantom", {name: {**SMALL.get(name, {}), **sections.get(name, {})} for name in names}
        )

    return make


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight phantom studies with labels."""
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_collection(folder, 8, seed=11)
    return folder


@pytest.fixture(scope="session")
def dataset(phantoms: Path) -> Dataset:
    """The phantoms, all of them in every split: enough to see whether a network learns."""
    samples = tuple(
        Sample(
            phantoms / row.file,
            row.patient_id,
            (row.label,),
            study=row.study_uid,
            box=None
            if row.x0 is None or row.y0 is None or row.x1 is None or row.y1 is None
            else (row.x0, row.y0, row.x1, row.y1),
            groups={"modality": row.modality},
        )
        for row in read_labels(phantoms)
    )
    return Dataset(("no finding", "lesion"), samples, samples, samples)


@pytest.fixture(scope="session")
def archive_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four series that an archive serves: CT, MR, CT and CR."""
    folder = tmp_path_factory.mktemp("archive")
    for index, modality in enumerate(("CT", "MR", "CT", "CR")):
        write_phantom_study(
            folder / str(index), modality, 70 + index, lesion=bool(index % 2), slices=4, columns=64
        )
    return folder


@pytest.fixture
def server(archive_tree: Path) -> Iterator[NbiaServer]:
    """An NBIA server with these series."""
    with serving(archive_tree) as running:
        yield running


@pytest.fixture(scope="session")
def labelled_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of 28 phantom studies with labels, as it is published."""
    folder = tmp_path_factory.mktemp("labelled")
    write_phantom_collection(folder, 28, seed=21)
    return folder


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of squares with all its steps; a test that changes it takes a copy."""
    from training.pipeline import run_pipeline  # noqa: PLC0415 - needs the train extra
    from training.run.run import Run  # noqa: PLC0415

    home = tmp_path_factory.mktemp("finished")
    run_pipeline(Run.create(load_recipe(write_recipe(home)), home / "run"))
    return home / "run"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return command_of(capsys, monkeypatch)


@pytest.fixture
def folder(labelled_tree: Path, tmp_path: Path) -> Path:
    """A copy of the collection, to be damaged."""
    return Path(shutil.copytree(labelled_tree, tmp_path / "tree"))


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder."""
    folder = tmp_path / "weights"
    monkeypatch.setenv(FOLDER, str(folder))
    return folder


@pytest.fixture
def lite0(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with the published weights; the next test finds it filled."""
    kept = os.environ.get("PACS_AI_TEST_CACHE", "")
    folder = Path(kept or tempfile.gettempdir()) / f"pacs-ai-test-weights-{os.getuid()}"
    monkeypatch.setenv(FOLDER, str(folder))
    if find_record(LITE0) is None:
        try:
            fetch_weights(LITE0)
        except PeerUnreachable as error:
            missing(error.message)
    return folder
