"""One network on several devices: two logical ones of this machine."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.errors import ConfigError
from training.recipe.recipe import load_recipe
from training.run.run import Run

pytestmark = [pytest.mark.train, pytest.mark.thorough]

SCRIPT = """
import sys
from pathlib import Path
import tensorflow as tf
from pacs_ai.phantom import read_labels
from training.data.samples import Dataset, Sample
from training.run.run import Run
from training.learn.train import train

folder, phantoms = Path(sys.argv[1]), Path(sys.argv[2])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
samples = tuple(
    Sample(phantoms / row.file, row.patient_id, (row.label,), groups={"modality": row.modality})
    for row in read_labels(phantoms)
)
run = Run.open(folder)
print(train(run, run.recipe, Dataset(("no finding", "lesion"), samples, samples, samples)))
print("devices", len(tf.config.list_logical_devices("CPU")))
"""

CHANGES: dict[str, object] = {
    "network": {"stem": 4, "stages": [4, 6, 8], "blocks": 1},
    "feeding": {"images_per_epoch": 48, "batch": 8},
}


def make(folder: Path, devices: str) -> Path:
    optimisation = {"epochs": 2, "map_weight": 0.0, "devices": devices}
    Run.create(load_recipe("phantom", {**CHANGES, "optimisation": optimisation}), folder)
    return folder


def start(folder: Path, phantoms: Path, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, folder, phantoms],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def arrays(folder: Path) -> list[np.ndarray]:
    with np.load(folder / "best.weights.npz") as found:
        return [found[name] for name in found.files]


def test_two_devices_of_one_machine_train_one_network(
    phantoms: Path, root: Path, tmp_path: Path
) -> None:
    folder = make(tmp_path / "run", "mirrored")
    process = start(folder, phantoms, root)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert "devices 2" in said
    assert all(np.isfinite(array).all() for array in arrays(folder))


def test_training_on_several_machines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"optimisation\.devices.*'one' or 'mirrored'"):
        make(tmp_path / "run", "multi-worker")
