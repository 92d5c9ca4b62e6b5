"""``evaluate``, ``explain``, ``export`` and ``quantise`` as a user runs them, on squares."""

import json
from pathlib import Path

import pytest
from PIL import Image

from pacs_ai.model.bundle import load_bundle
from tests.training.quick_run import Command, pictures
from tests.training.toys import see_squares, toy_recipe
from training.data import build_dataset
from training.networks import build_network
from training.networks.weights import save_weights
from training.recipe.recipe import load_recipe
from training.run.run import Run

pytestmark = pytest.mark.train


@pytest.fixture
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose network tells squares apart, in the state that training leaves.

    Eight bits change the guesses of a network that knows nothing by more than is allowed.
    """
    home = tmp_path_factory.mktemp("trained")
    folder = pictures(home / "pictures", 5, of=216)
    toy_recipe(home)  # writes the file
    recipe = (
        (home / "toy.toml")
        .read_text()
        .replace(
            'folder = "."',
            f'folder = "{folder}"\nlabels = "{folder / "labels.csv"}"\nsplit_column = "split"\n'
            'patient_column = "patient"\n[split]\nby = "given"\nleakage = "report"',
        )
    )
    (home / "toy.toml").write_text(recipe)
    made = load_recipe(home / "toy.toml")
    run = Run.create(made, home / "run")
    network = build_network(made.input, made.network, 3)
    see_squares(network)
    save_weights(network, run.best)
    build_dataset(made, run)
    run.finish("train", {}, 0.0)
    return run


def test_the_steps_follow_each_other(trained: Run, command: Command) -> None:
    folder = trained.folder
    assert "pacs-ai evaluate" in command("explain", folder, code=4)
    assert "pacs-ai evaluate" in command("export", folder, code=4)
    judged = json.loads(command("evaluate", folder, "--json"))
    assert set(judged) == {"unit", "figures"}
    assert Run.open(folder).summary("evaluate") == judged
    assert (folder / "evaluation" / "report.html").is_file()
    assert "measured" in json.loads(command("explain", folder, "--json"))
    assert "pacs-ai infer" in command("export", folder)
    load_bundle(folder / "bundle")
    shown = command("quantise", folder / "bundle")
    assert "bundle-int8" in shown
    assert command("models", "verify", folder / "bundle-fp16", folder / "bundle-int8")


def test_other_data_get_a_report_of_their_own(
    trained: Run, command: Command, tmp_path: Path
) -> None:
    folder = trained.folder
    command("evaluate", folder)
    other = pictures(tmp_path / "clinic", 8, of=60, split=False)
    command("evaluate", folder, "--data", other)
    command("evaluate", folder, "--data", other)
    figures = json.loads((folder / "evaluation" / "clinic" / "figures.json").read_text())
    assert figures["set"]["images"] == 60
    assert "auc" in figures["drop"]["image"]
    section = tmp_path / "other.toml"
    section.write_text(
        '[data]\nsource = "pictures"\nfolder = "clinic"\nlabels = "clinic/labels.csv"\n'
    )
    command("evaluate", folder, "--data", section)
    assert (folder / "evaluation" / "other" / "report.html").is_file()


def test_patients_that_were_learned_from_are_no_external_test(
    trained: Run, command: Command, tmp_path: Path
) -> None:
    folder = trained.folder
    command("evaluate", folder)
    same = pictures(tmp_path / "same", 5, of=216, split=False)
    section = tmp_path / "same.toml"
    section.write_text(
        '[data]\nsource = "pictures"\nfolder = "same"\nlabels = "same/labels.csv"\n'
        'patient_column = "patient"\n'
    )
    assert "no external test" in command("evaluate", folder, "--data", section, code=4)
    assert same.exists()


def held(folder: Path) -> dict[Path, bytes]:
    """Every file of a run but its log, which only grows, and its trial."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "log.txt" and "trial" not in path.parts
    }


def all_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_trial_leaves_the_run_as_it_is(trained: Run, command: Command, tmp_path: Path) -> None:
    folder, trial = trained.folder, trained.folder / "trial"
    command("evaluate", folder)
    before = held(folder)
    command("evaluate", folder, "--limit", 6)
    judged = json.loads((trial / "evaluation" / "figures.json").read_text())["set"]
    assert judged["patients"] == 6
    assert "limited to 6 patients a split" in str(judged)
    command("explain", folder, "--limit", 6)
    assert (trial / "explain" / "explain.html").is_file()
    other = pictures(tmp_path / "elsewhere", 9, of=60, split=False)
    command("evaluate", folder, "--data", other, "--limit", 3)
    figures = json.loads((trial / "evaluation" / "elsewhere" / "figures.json").read_text())
    assert 0 < figures["set"]["images"] < 60
    assert held(folder) == before
    kept = all_of(trial)
    command("evaluate", folder, "--data", tmp_path / "nothing", "--limit", 3, code=2)
    empty = pictures(tmp_path / "empty", 9, of=6, split=False)
    (empty / "labels.csv").write_text("file,label\n000.png,none of them\n")
    command("evaluate", folder, "--data", empty, "--limit", 3, code=None)
    assert all_of(trial) == kept
    assert not list(folder.glob("*.draft"))


def test_a_bundle_goes_where_it_is_told_and_replaces_only_bundles(
    trained: Run, command: Command, tmp_path: Path
) -> None:
    command("evaluate", trained.folder)
    there = tmp_path / "models" / "mine"
    for _ in range(2):
        command("export", trained.folder, "--out", there)
    load_bundle(there)
    precious = tmp_path / "precious"
    precious.mkdir()
    assert "not a bundle" in command("export", trained.folder, "--out", precious, code=2)
    assert precious.is_dir()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "neither a folder"),
        ("[data", "neither a folder"),
        ("a = 1", "no section [data]"),
        ('[data]\nsource = "tape"', "data"),
        ('[data]\nsource = "pictures"\n[splits]', "no section [splits]"),
    ],
)
def test_wrong_other_data_are_named(
    trained: Run, command: Command, tmp_path: Path, content: str | None, said: str
) -> None:
    command("evaluate", trained.folder)
    path = tmp_path / "wrong.toml"
    if content is not None:
        path.write_text(content)
    assert said in command("evaluate", trained.folder, "--data", path, code=2)


def test_what_is_no_run_is_named(command: Command, tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "x.png")
    for name in ("evaluate", "explain", "export"):
        assert "no run" in command(name, tmp_path, code=2)
    assert "no run" in command("quantise", tmp_path / "bundle", code=2)
