"""A mistake in the arguments of a command leaves a finished run as it was, byte for byte."""

from pathlib import Path

import pytest

from tests.training.quick_run import Command, copy_of, held, pictures

pytestmark = pytest.mark.train

MISTAKES = [
    "finetune RUN --from nowhere",
    "finetune RUN --from stage --from nowhere",
    "finetune RUN --from ''",
    "finetune RUN --epochs 0",
    "finetune RUN --device tpu",
    "finetune HERE/none",
    "train RUN/recipe.toml --out RUN",
    "train RUN/recipe.toml --out RUN --resume --until nowhere",
    "train RUN/recipe.toml --out RUN --resume --epochs 7",
    "train RUN/recipe.toml --out RUN --resume --seed 7",
    "train RUN/recipe.toml --out RUN --resume --limit 2",
    "train RUN/recipe.toml --out RUN --resume --device tpu",
    "train HERE/none.toml --out RUN --resume",
    "train RUN/recipe.toml --out RUN/run.json",
    "train RUN/recipe.toml --out HERE/new --until nowhere",
    "tune RUN/recipe.toml --out RUN",
    "tune RUN/recipe.toml --out RUN --resume",
    "tune RUN/recipe.toml --out RUN --trials 0",
    "dataset RUN/recipe.toml --out RUN",
    "evaluate RUN --limit 0",
    "evaluate RUN --device tpu",
    "evaluate RUN --data HERE/none",
    "evaluate RUN --data HERE/clinic",
    "evaluate RUN --data ..",
    "evaluate RUN --data .",
    "evaluate RUN --data /",
    "evaluate RUN --data HERE/errors",
    "explain RUN --limit 0",
    "explain RUN --device tpu",
    "export RUN --device tpu",
    "export RUN --out HERE",
    "export RUN --out HERE/file/bundle",
    "export RUN --out /proc/bundle",
    "quantise RUN",
    "quantise RUN/none",
    "quantise RUN/bundle --run HERE/none",
    "quantise RUN/bundle --device tpu",
]


@pytest.fixture(scope="module")
def run(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of(finished_run, tmp_path_factory.mktemp("arguments"))


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_leaves_a_run_as_it_was(
    run: Path, command: Command, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    here = run.parent
    if not (here / "clinic").exists():
        labels = pictures(here / "clinic", 8, of=12, split=False) / "labels.csv"
        labels.write_text(labels.read_text().replace("bright", "unheard of"))
        (here / "errors").mkdir()
        (here / "file").write_text("a file, no folder")
    monkeypatch.chdir(run / "plots")
    before, beside = held(run), set(here.iterdir())
    placed = words.replace("RUN", str(run)).replace("HERE", str(here))
    given = [word.strip("'") for word in placed.split()]
    assert command(*given, code=None)
    assert held(run) == before
    assert set(here.iterdir()) == beside
