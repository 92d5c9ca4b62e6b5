"""The command a researcher types, from an archive to a bundle the node serves; and Ctrl-C."""

import hashlib
import json
import signal
import time
from pathlib import Path
from subprocess import Popen

import pytest

from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.phantom import write_phantom_study
from tests.training.collection import collection_recipe, write_collection
from tests.training.commands import finish, start
from tests.training.nbia_server import serving
from tests.training.quick_run import edit, write_recipe
from training.run.provenance import STEPS
from training.run.run import Run

pytestmark = pytest.mark.train

QUICK = {
    "epochs = 6": "epochs = 2\ncheckpoint_seconds = 0",
    "images_per_epoch = 4800": "images_per_epoch = 128",
    "stages = [24, 48, 64]": "stages = [4, 6, 8]",
    "blocks = 2": "blocks = 1",
    "[release]": """[finetune]
unfreeze = ["all"]
epochs = 1
[evaluation]
resamples = 100
[explanation]
images = 2
steps = 2
curve_images = 2
curve_steps = 2
[release]""",
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Squares to learn, in steps enough to be stopped at; fine-tuned in two phases."""
    path = write_recipe(tmp_path_factory.mktemp("recipe"))
    steps = "[feeding]\nimages_per_epoch = 160\nbatch = 4\n"
    longer = f"{steps}[optimisation]\nepochs = 2\ncheckpoint_seconds = 0"
    edit(path, "[optimisation]\nepochs = 1", longer)
    edit(path, 'unfreeze = ["stage"]\nepochs = 1', 'unfreeze = ["stage", "all"]\nepochs = 2')
    return path


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def stop(process: Popen[str], signal_: signal.Signals, checkpoint: Path) -> str:
    """Send a signal as soon as a step has a checkpoint; return the errors of the process."""
    while not checkpoint.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal_)
    return process.communicate()[1]


@pytest.mark.slow
def test_a_run_that_is_stopped_twice_ends_in_the_same_bundle_byte_for_byte(
    root: Path, recipe: Path, tmp_path: Path
) -> None:
    whole = start(root, "train", recipe, "--out", tmp_path / "whole", "--json")
    report = json.loads(finish(whole))
    assert list(report["steps"]) == list(STEPS)
    assert {"keras", "numpy", "pydicom"} <= set(report["versions"])

    folder = tmp_path / "stopped"
    words = ("train", recipe, "--out", folder)
    stop(start(root, *words), signal.SIGKILL, folder / "train.checkpoint.npz")
    assert not Run.open(folder).done("train")

    refused = start(root, *words)
    assert refused.wait() == 2
    assert "--resume" in refused.communicate()[1]

    resumed = start(root, *words, "--resume")
    assert "--resume" in stop(resumed, signal.SIGINT, folder / "finetune.checkpoint.npz")
    assert resumed.returncode == 130
    assert Run.open(folder).done("train")
    assert not Run.open(folder).done("export")

    finish(start(root, *words, "--resume"))
    bundles = tmp_path / "whole" / "bundle", folder / "bundle"
    assert hashes(bundles[0]) == hashes(bundles[1])
    assert not list(folder.glob("*.checkpoint.npz"))

    Classifier.load(load_bundle(bundles[0]))


def test_one_command_goes_from_an_archive_to_a_bundle_that_the_node_serves(
    root: Path, tmp_path: Path
) -> None:
    stock, run = tmp_path / "stock", tmp_path / "run"
    studies = {"train": 24, "validation": 16, "test": 16}
    write_collection(stock, studies, tmp_path / "labels.csv", seed=31)
    with serving(stock) as server:
        path = tmp_path / "recipe.toml"
        path.write_text(collection_recipe(server.url, QUICK), encoding="utf-8")
        first, second, *_ = server.series
        server.faults |= {first: ["short"], second: ["wrong-md5", "cut"]}
        report = json.loads(finish(start(root, "train", path, "--out", run, "--json")))
        asked = {uid: n for (call, uid), n in server.asked.items() if call.startswith("getImage")}
        finish(
            start(
                root, "download", "PHANTOM-DX", "--server", server.url, "--out", tmp_path / "images"
            )
        )
        again = {uid: n for (call, uid), n in server.asked.items() if call.startswith("getImage")}

    steps = {name: step["summary"] for name, step in report["steps"].items()}
    assert list(steps) == list(STEPS)
    images = len(list(stock.rglob("*.dcm")))
    assert steps["download"] | {"bytes": 0} == {
        "series": 56,
        "new": 56,
        "images": images,
        "bytes": 0,
    }
    assert asked == again == dict.fromkeys(server.series, 1) | {first: 2, second: 3}
    dataset = steps["dataset"]
    assert sum(dataset[split] for split in studies) == images
    assert steps["finetune"]["kept"] in {"start", "fine-tuned"}
    assert 0 <= steps["evaluate"]["figures"]["auc"]["value"] <= 1
    (licence,) = json.loads((tmp_path / "images" / "licences.json").read_text())
    assert licence["series"] == 56
    for made in ("evaluation/report.html", "explain/explain.html", "plots/samples.png"):
        assert (run / made).stat().st_size > 1000

    card = (run / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Source: PHANTOM-DX" in card
    finish(start(root, "models", "verify", run / "bundle"))
    study = write_phantom_study(tmp_path / "study", "CR", 6, lesion=True, slices=1)
    results = tmp_path / "results"
    finish(start(root, "infer", *study.files, "--model", run / "bundle", "--out", results))
    assert list(results.rglob("*.dcm"))
