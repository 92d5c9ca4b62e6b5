"""docs/extending.md names what one has to write."""

import re
from pathlib import Path

from pacs_ai.engine.base import Engine
from pacs_ai.model.network import LoadedNetwork
from pacs_ai.model.steps import Resize


def section(root: Path, title: str) -> str:
    text = (root / "docs" / "extending.md").read_text()
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_member_of_an_engine_is_named(root: Path) -> None:
    named = re.findall(r"^ *\| `(\w+)` \|", section(root, "An engine"), re.MULTILINE)
    methods = [name for name in vars(Engine) if not name.startswith("_")]
    assert named == [*Engine.__annotations__, *methods]


def test_every_member_of_a_loaded_network_is_named(root: Path) -> None:
    named = re.findall(r"^ *\| `(\w+)` \|", section(root, "A runtime"), re.MULTILINE)
    assert named == [name for name in vars(LoadedNetwork) if not name.startswith("_")]


def test_every_method_of_a_resize_step_is_named(root: Path) -> None:
    text = section(root, "A resize step or a scaling")
    assert all(f"`{name}`" in text for name in vars(Resize) if not name.startswith("_"))
