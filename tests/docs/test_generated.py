"""Pages that are made from the code are the same as what it makes now."""

import tomllib
from pathlib import Path

import pytest

from pacs_ai.cli import ihe
from pacs_ai.cli.check import rules_page
from pacs_ai.cli.conformance import statement
from pacs_ai.cli.conformance_results import RESULTS
from pacs_ai.cli.reference import reference
from pacs_ai.config import Config
from pacs_ai.domain import DOCUMENTS, ResultKind
from pacs_ai.net.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES
from training.recipe import evaluation, learning
from training.recipe import reference as recipe
from training.recipe.recipe import load_recipe, with_data


def same(path: Path, made: str, command: str) -> None:
    if path.read_text(encoding="utf-8") != made:
        pytest.fail(f"{path.name} is not what the code says: {command} > {path}", pytrace=False)


def test_the_command_reference_is_in_step(root: Path) -> None:
    same(root / "docs" / "cli.md", reference(), "python -m pacs_ai.cli.reference")


def test_the_recipe_reference_is_in_step(root: Path) -> None:
    same(root / "docs" / "recipe.md", recipe.reference(), "python -m training.recipe.reference")


def test_the_recipe_reference_knows_every_key(root: Path) -> None:
    page = (root / "docs" / "recipe.md").read_text(encoding="utf-8")
    for section in (evaluation.Evaluation, evaluation.Card, learning.Optimisation):
        assert [key for key in section.model_fields if f"| `{key}` |" not in page] == []


def snippets(root: Path) -> list[str]:
    page = (root / "docs" / "training.md").read_text(encoding="utf-8")
    return [part.split("```")[0] for part in page.split("```toml\n")[1:]]


def test_the_recipe_in_the_tutorial_is_one(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(snippets(root)[0])
    assert load_recipe(path).release.name == "mine"
    changed = [each for each in map(tomllib.loads, snippets(root)) if "data" not in each]
    parts = {
        name: each[name]
        for each in changed
        for name in ("augmentation", "finetune")
        if name in each
    }
    found = load_recipe(path, parts)
    assert found.augmentation.varies
    assert found.finetune is not None


def test_other_data_in_the_tutorial_are_understood(root: Path, tmp_path: Path) -> None:
    section = next(text for text in snippets(root) if 'source = "dicom"' in text)
    data = tomllib.loads(section)["data"]
    assert with_data(load_recipe("lung-pet-ct-dx"), data, {}, tmp_path).data.source == "dicom"


def test_the_conformance_statement_is_in_step(root: Path) -> None:
    same(root / "docs" / "conformance.md", statement(Config()), "pacs-ai conformance")


def test_the_integration_statement_is_in_step(root: Path) -> None:
    same(root / "docs" / "ihe.md", ihe.statement(), "pacs-ai conformance --ihe")


def test_the_rules_for_results_are_in_step(root: Path) -> None:
    same(root / "docs" / "air-rules.md", rules_page(), "pacs-ai check --rules")


def test_the_statement_names_every_class_and_syntax() -> None:
    text = statement(Config())
    assert [uid for uid in (*STORAGE_CLASSES, *TRANSFER_SYNTAXES) if f"`{uid}`" not in text] == []
    assert set(RESULTS) == set(ResultKind) - DOCUMENTS
    assert [name for name in STORAGE_CLASSES.values() if "Storage" not in name] == []


def test_a_page_out_of_step_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("old")
    with pytest.raises(pytest.fail.Exception):
        same(page, "new", "make it")
