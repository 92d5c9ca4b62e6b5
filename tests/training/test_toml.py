"""Recipes and manifests are written as TOML that every reader understands."""

import datetime as dt
import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_ai.errors import ConfigError
from training.recipe.recipe import RECIPES, Recipe, load_recipe
from training.recipe.toml import dumps

KEYS = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = (
    st.text(st.characters(codec="utf-8"), max_size=20)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def same(one: object, other: object) -> bool:
    """Compare values; numbers by their type too, and not a number equals itself."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_what_is_written_is_read_back(values: dict[str, object]) -> None:
    assert same(tomllib.loads(dumps(values)), values)


def test_what_the_standard_library_could_not_read_back_before() -> None:
    values = {"far": math.inf, "near": -math.inf, "delete": "\x7f", "line": "a\r\nb"}
    assert tomllib.loads(dumps(values)) == values
    assert math.isnan(tomllib.loads(dumps({"none": math.nan}))["none"])


def test_dates_and_keys_with_dots_are_read_back() -> None:
    day, hour = dt.date(2026, 11, 29), dt.time(8, 30, 0, 5)
    moment = dt.datetime(2026, 11, 29, 8, 30, tzinfo=dt.UTC)
    values = {"a.b": {"": day, "c d": hour, '"': moment}, "x": [moment.replace(tzinfo=None)]}
    assert tomllib.loads(dumps(values)) == values
    with pytest.raises(ConfigError, match="type time"):
        dumps({"hour": hour.replace(tzinfo=dt.UTC)})


@given(st.dictionaries(KEYS, st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)))
def test_labels_of_a_source_survive_in_a_recipe(names: dict[str, str]) -> None:
    recipe = load_recipe("folder")
    data = recipe.data.model_copy(update={"names": names, "where": names, "separator": "\t"})
    recipe = recipe.model_copy(update={"data": data})
    written = dumps(recipe.model_dump(mode="json", exclude_none=True))
    assert Recipe.model_validate(tomllib.loads(written)) == recipe


def test_none_is_left_out_and_a_path_is_text() -> None:
    values = {"gone": None, "data": {"folder": Path("a/b"), "manifest": None}, "sizes": (1, 2)}
    assert tomllib.loads(dumps(values)) == {"data": {"folder": "a/b"}, "sizes": [1, 2]}


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"classes": [1, None]}, r"classes\[1\]"),
        ({"a": {"b": {1, 2}}}, r"a\.b"),
        ({"raw": b"bytes"}, "raw"),
        ({"half": "\ud800"}, "half"),
        ({"a": {"\ud800": 1}}, "a"),
        ({"\ud800": 1}, "ud800"),
    ],
)
def test_what_toml_cannot_hold_is_an_error_that_names_the_key(
    values: dict[str, object], key: str
) -> None:
    with pytest.raises(ConfigError, match=key):
        dumps(values)


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_a_shipped_recipe_survives_writing(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    copy = tmp_path / "recipe.toml"
    copy.write_text(dumps(recipe.model_dump(mode="json", exclude_none=True)), encoding="utf-8")
    assert load_recipe(copy) == recipe
