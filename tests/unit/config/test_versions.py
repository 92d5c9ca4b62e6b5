"""Sections of several versions of one model."""

import tomllib

import pytest
from pydantic import ValidationError

from pacs_ai.config import Config, model_of, versions_of

TEXT = """
[models.demo]
bundle = "demo"
[models."demo@1.2.0"]
bundle = "/m/demo"
shadow = true
[models."bone@2"]
bundle = "/m/bone"
[[rules]]
name = "one"
model = "demo"
[[rules]]
name = "two"
model = "bone@2"
"""


def read(text: str) -> Config:
    return Config.model_validate(tomllib.loads(text))


def test_a_version_belongs_to_the_model_that_is_there() -> None:
    models = read(TEXT).models
    assert {name: model_of(models, name) for name in models} == {
        "demo": "demo",
        "demo@1.2.0": "demo",
        "bone@2": "bone@2",
    }
    assert list(versions_of(models, "demo")) == ["demo", "demo@1.2.0"]
    assert models["demo@1.2.0"].shadow


def test_a_rule_names_a_model_and_no_version_of_it() -> None:
    with pytest.raises(ValidationError, match=r"no model 'demo@1.2.0' \(known: bone@2, demo\)"):
        read(TEXT.replace('model = "demo"', 'model = "demo@1.2.0"'))


def test_a_shadow_needs_another_version() -> None:
    with pytest.raises(ValidationError, match="one of several versions"):
        read(TEXT.replace('bundle = "/m/bone"', 'bundle = "/m/bone"\nshadow = true'))
