"""``pacs-ai rules``: try the rules with files, and take them while the node works."""

import json
from pathlib import Path

import pytest

from pacs_ai.cli import run
from tests.samples import sample

RULES = """
[[rules]]
name = "CT"
model = "demo"
priority = "urgent"
when = { Modality = "CT", not = { CallingAET = "X*" } }
series = { min_images = 1, when = { Rows = { min = 2 } } }
[[rules]]
name = "MR"
model = "demo"
when = { any = [{ Modality = "MR" }, { StationName = "NOBODY" }] }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "pacs-ai.toml"
    path.write_text(RULES)
    return path


def test_it_says_clause_by_clause_why(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "test", str(sample()), "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert "rule 'CT': matches -> demo, urgent" in out
    assert "+ Modality: wanted 'CT', found 'CT'" in out
    assert "+ not all of:" in out
    assert "- CallingAET: wanted 'X*', found nothing" in out
    assert "rule 'MR': does not match" in out
    assert "- one of:" in out
    assert "- Modality: wanted 'MR', found 'CT'" in out


def test_the_sender_counts_and_json_has_the_same(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["rules", "test", str(sample()), "--calling", "XA", "--json", "--config", str(config)]
    assert run(words) == 0
    [study] = json.loads(capsys.readouterr().out)["studies"]
    assert [rule["matches"] for rule in study["rules"]] == [False, False]
    places = {one["place"]: one["holds"] for one in study["rules"][0]["clauses"]}
    assert places == {"Modality": True, "not": False, "not.CallingAET": True}
    assert list(study["rules"][0]["series"].values()) == [1]


def test_what_cannot_be_read_is_an_error(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.dcm"
    other.write_bytes(b"x" * 300)
    assert run(["rules", "test", str(other), "--config", str(config)]) == 4
    config.write_text(RULES.replace("StationName", "StationNam"))
    assert run(["rules", "test", str(sample()), "--config", str(config)]) == 2
    assert "did you mean 'StationName'?" in capsys.readouterr().err
