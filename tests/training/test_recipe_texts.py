"""Texts of a recipe that reports cannot hold are refused when it is read."""

from pathlib import Path

import pytest

from pacs_ai.errors import ConfigError
from training.recipe.recipe import RECIPES, load_recipe

TEXT = (RECIPES / "folder.toml").read_text(encoding="utf-8")


def read(tmp_path: Path, old: str, new: str) -> object:
    assert old in TEXT
    path = tmp_path / "recipe.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    return load_recipe(path)


@pytest.mark.parametrize(
    "escaped", ["\\n", "\\t", "\\u0000", "\\u001b", "\\u007f", "\\u0085", "\\\\"]
)
@pytest.mark.parametrize("key", ["name", "manufacturer", "version"])
def test_a_release_has_neither_control_characters_nor_backslashes(
    tmp_path: Path, key: str, escaped: str
) -> None:
    with pytest.raises(ConfigError, match=rf"release\.{key} has "):
        read(tmp_path, f'\n{key} = "', f'\n{key} = "a{escaped}b')


@pytest.mark.parametrize("escaped", ["\\n", "\\u0007", "\\\\"])
@pytest.mark.parametrize("key", ["value", "scheme", "meaning"])
def test_nor_has_a_class(tmp_path: Path, key: str, escaped: str) -> None:
    with pytest.raises(ConfigError, match=rf"classes\.0\.code\.{key} has "):
        read(tmp_path, f'{key} = "', f'{key} = "{escaped}')


def test_texts_of_the_card_have_lines(tmp_path: Path) -> None:
    found = read(tmp_path, "[release]\n", '[card]\nethics = """Two\n\tlines."""\n[release]\n')
    assert "\n\t" in found.card.ethics
    with pytest.raises(ConfigError, match=r"card\.ethics"):
        read(tmp_path, "[release]\n", '[card]\nethics = "a\\u000cb"\n[release]\n')


def test_labels_of_the_source_are_free(tmp_path: Path) -> None:
    found = read(tmp_path, "[data]\n", '[data]\nseparator = "\\t"\n')
    assert found.data.separator == "\t"
