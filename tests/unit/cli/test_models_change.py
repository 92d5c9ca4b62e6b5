"""``models add`` and ``models remove`` change folder and file of a node, and nothing else."""

import hashlib
import shutil
from pathlib import Path

import pytest

from pacs_ai.cli import run as pacs_ai_run
from pacs_ai.config import load_config
from pacs_ai.model.bundle import SHIPPED
from tests.unit.cli.conftest import Installation
from tests.unit.model.test_signature import minisign
from tests.unit.store import samples
from tests.unit.store.samples import NOW


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pacs-ai.toml"
    path.write_text(
        f'# ours\n[storage]\ndatabase = "sqlite:///{tmp_path}/n.db"\nspool = "{tmp_path}/spool"\n\n'
        '[models.demo]\nbundle = "demo"\n\n[[rules]]\nname = "all"\nmodel = "demo"\n'
    )
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return shutil.copytree(SHIPPED / "demo", tmp_path / "given")


def run(*words: object) -> int:
    return pacs_ai_run(["models", *map(str, words)])


def test_a_model_is_added_pinned_and_removed_again(file: Path, bundle: Path) -> None:
    before = file.read_text()
    assert run("add", bundle, "--name", "second", "--config", file) == 0
    entry = load_config(file).models["second"]
    digest = hashlib.sha256((bundle / "model.toml").read_bytes()).hexdigest()
    assert entry.sha256 == digest
    folder = Path(entry.bundle)
    assert folder.parent == file.parent / "models"
    assert {one.name for one in folder.iterdir()} == {one.name for one in bundle.iterdir()}
    assert file.read_text().startswith(before)
    assert run("remove", "second", "--config", file) == 0
    assert not folder.exists()
    assert file.read_text().rstrip() == before.rstrip()
    assert bundle.exists()


def test_a_model_is_added_to_a_file_without_rules(file: Path, bundle: Path) -> None:
    file.write_text(file.read_text().partition("[models.demo]")[0])
    assert run("add", bundle, "--name", "second", "--config", file) == 0
    config = load_config(file)
    assert set(config.models) == {"demo", "second"}
    assert [rule.model for rule in config.rules] == ["demo"]


def test_a_bundle_that_is_not_in_order_changes_nothing(
    file: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = file.read_text()
    (bundle / "MODEL_CARD.md").write_text("changed")
    assert run("add", bundle, "--name", "second", "--config", file) == 1
    assert "MODEL_CARD.md does not have the sha256" in capsys.readouterr().err
    assert file.read_text() == before
    assert not (file.parent / "models").exists()


def test_a_model_that_a_rule_uses_stays_unless_forced(
    file: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("add", bundle, "--name", "second", "--config", file) == 0
    text = file.read_text() + '\n[[rules]]\nname = "more"\nmodel = "second"\n'
    file.write_text(text)
    assert run("remove", "second", "--config", file) == 2
    assert "the rule 'more' uses it" in capsys.readouterr().err
    assert file.read_text() == text
    assert run("remove", "second", "--force", "--keep-files", "--config", file) == 0
    config = load_config(file)
    assert [rule.name for rule in config.rules] == ["all"]
    assert set(config.models) == {"demo"}
    assert list((file.parent / "models").iterdir())


def test_with_trusted_keys_only_signed_bundles_are_added(
    file: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, signature = minisign((bundle / "model.toml").read_bytes())
    file.write_text(f'{file.read_text()}\n[bundles]\ntrusted_keys = ["{key}"]\n')
    assert run("add", bundle, "--name", "second", "--config", file) == 1
    assert "is not signed" in capsys.readouterr().err
    (bundle / "model.toml.minisig").write_text(signature)
    assert run("add", bundle, "--name", "second", "--config", file) == 0
    assert run("verify", "second", "--config", file) == 0


def test_a_model_that_jobs_wait_for_stays_unless_forced(node: Installation) -> None:
    with node.database.write("test", NOW) as transaction:
        samples.routed_job(transaction)
    file = node.folder / "pacs-ai.toml"
    rule = file.read_text().index("[[rules]]")
    text = file.read_text()
    entry = '[models.demo]\nbundle = "demo"\n[models.other]\nbundle = "demo"\n'
    file.write_text(f"{text[:rule]}{entry}{text[rule:]}".replace('"demo"\nsend', '"other"\nsend'))
    refused = node.pacs_ai("models", "remove", "demo")
    assert refused.code == 2
    assert "jobs that wait for it: 1" in refused.err
    assert node.pacs_ai("models", "remove", "demo", "--force").code == 0
    assert set(load_config(file).models) == {"other"}
