"""One section of the configuration file changes, and everything else stays."""

import tomllib

import pytest

from pacs_ai.config import Config
from pacs_ai.config.edit import with_model, without_model
from pacs_ai.errors import ConfigError

TEXT = """\
# the node of the second floor
[node]
ae_title = "AI"   # as the modalities know it

# the shipped one
[models.demo]
bundle = "demo"

# of the radiology
[models."chest film"]
bundle = "/srv/chest"
labels = [
  ["a"],
]

[[rules]] # first
name = "one"
model = "demo"

[[rules]]
name = "two"
model = "chest film"
[rules.when]
Modality = "DX"

# the archive
[peers.archive]
ae_title = "ARCHIVE"
"""


def test_a_model_is_added_at_the_end() -> None:
    changed = with_model(TEXT, "bone", "/m/bone", "ab" * 32)
    assert changed == f'{TEXT}\n[models.bone]\nbundle = "/m/bone"\nsha256 = "{"ab" * 32}"\n'
    assert '[models."two words"]' in with_model(TEXT, "two words", "/m", "0" * 64)
    with pytest.raises(ConfigError, match="already"):
        with_model(changed, "bone", "/m", "0" * 64)


def test_where_the_file_has_no_models_the_shipped_one_stays() -> None:
    """Rules, and the rule of a file without rules, name a model that only the defaults have."""
    for text in ('[node]\nae_title = "AI"\n', '[[rules]]\nname = "all"\nmodel = "demo"\n'):
        changed = with_model(text, "bone", "/m/bone", "0" * 64)
        assert changed.startswith(f'{text}\n[models.demo]\nbundle = "demo"\n\n[models.bone]\n')
        assert [rule.model for rule in Config.model_validate(tomllib.loads(changed)).rules] == [
            "demo"
        ]


def test_a_model_and_its_rules_go_and_comments_stay() -> None:
    changed = without_model(TEXT, "chest film", ["two"])
    gone = TEXT.index('[models."chest film"]'), TEXT.index("\n[[rules]] # first")
    rule = TEXT.index('[[rules]]\nname = "two"'), TEXT.index("\n# the archive")
    assert changed == TEXT[: gone[0]] + TEXT[gone[1] : rule[0]] + TEXT[rule[1] :]


def test_what_is_added_goes_again() -> None:
    added = with_model(TEXT, "bone", "/m/bone", "0" * 64)
    assert without_model(added, "bone", []).rstrip() == TEXT.rstrip()


@pytest.mark.parametrize(
    "text",
    [
        'models = { demo = { bundle = "demo" } }\n',
        '[models]\ndemo = { bundle = "demo" }\n',
        'models.demo.bundle = "demo"\n',
    ],
)
def test_a_form_that_cannot_be_changed_safely_is_left_alone(text: str) -> None:
    with pytest.raises(ConfigError, match="by hand"):
        without_model(text, "demo", [])


def test_a_version_of_a_model_is_added_and_removed() -> None:
    changed = with_model(TEXT, "demo@1.2.0", "/m/demo", "0" * 64)
    assert '[models."demo@1.2.0"]' in changed
    assert without_model(changed, "demo@1.2.0", ()).rstrip() == TEXT.rstrip()
