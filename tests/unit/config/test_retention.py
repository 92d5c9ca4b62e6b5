"""`[retention]`, and the older names of its keys."""

from pathlib import Path

import pytest

from pacs_ai.config import load_config
from pacs_ai.errors import ConfigError


def write(text: str) -> Path:
    path = Path("node.toml")
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("older", "key"),
    [
        ("[storage]\nkeep_days", "images_days"),
        ("[storage]\nkeep_aside_days", "aside_days"),
        ("[audit]\nkeep_days", "ledger_days"),
        ("[audit]\nevidence_days", "evidence_days"),
    ],
)
def test_the_older_name_of_a_time_is_valid(older: str, key: str):
    assert getattr(load_config(write(f"{older} = 3.5\n")).kept, key) == 3.5
    assert getattr(load_config(write(f"[retention]\n{key} = 4\n")).kept, key) == 4
    both = f"{older} = 3.5\n[retention]\n{key} = "
    assert getattr(load_config(write(f"{both}3.5\n")).kept, key) == 3.5
    with pytest.raises(ConfigError, match=f"older name of retention.{key}, and both are set"):
        load_config(write(f"{both}4\n"))


def test_the_older_name_of_a_time_in_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PACS_AI_STORAGE_KEEP_DAYS", "2")
    monkeypatch.setenv("PACS_AI_RETENTION_LEDGER_DAYS", "9")
    kept = load_config(write("[node]\n")).kept
    assert (kept.images_days, kept.ledger_days, kept.evidence_days) == (2, 9, 184)
