from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from pacs_ai.config import load_config

EVERY_PATH = """
[node]
users = "users"
[storage]
spool = "s"
database = "sqlite:///d.db"
[tls]
certificate = "fonts/../node.pem"
key = "node.key"
ca = "ca.pem"
[results]
font = "fonts/cjk.ttf"
[peers.p]
ae_title = "P"
host = "h"
port = 104
tls = true
ca = "peer.pem"
certificate = "us.pem"
key = "us.key"
user = "u"
passcode_file = "passcode"
[models.m]
bundle = "b/c"
[[rules]]
name = "r"
model = "m"
"""


def write(text: str) -> Path:
    path = Path("etc/node.toml")
    path.parent.mkdir()
    path.write_text(text, "utf-8")
    return path


def paths(value: object, name: str = "") -> Iterator[tuple[str, Path]]:
    """All values of the type `Path` with their keys, at any depth."""
    if isinstance(value, Path):
        yield name, value
    elif isinstance(value, BaseModel):
        for key in type(value).model_fields:
            yield from paths(getattr(value, key), f"{name}.{key}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, f"{name}.{key}")


def test_every_relative_path_starts_at_the_files_folder(tmp_path: Path):
    config = load_config(write(EVERY_PATH))
    found = dict(paths(config))
    assert len(found) == 10
    wrong = {key for key, path in found.items() if not path.is_relative_to(tmp_path / "etc")}
    assert wrong == set()
    assert config.results.font == tmp_path / "etc/fonts/cjk.ttf"
    assert config.storage.database == f"sqlite:///{tmp_path}/etc/d.db"
    assert config.models["m"].bundle == str(tmp_path / "etc/b/c")


def test_the_paths_of_the_defaults_start_there_too(tmp_path: Path):
    config = load_config(write(""))
    assert config.storage.spool == tmp_path / "etc/var/spool"
    assert config.storage.database == f"sqlite:///{tmp_path}/etc/var/pacs-ai.db"


def test_an_absolute_path_stays():
    config = load_config(write('[storage]\nspool = "/s"\ndatabase = "sqlite:////d.db"\n'))
    assert config.storage.spool == Path("/s")
    assert config.storage.database == "sqlite:////d.db"


def test_a_key_that_is_not_set_gets_no_path():
    config = load_config(write(""))
    assert [key for key, _ in paths(config)] == [".storage.spool"]


@pytest.mark.parametrize("by", ["variable", "flag"])
def test_what_is_not_in_the_file_starts_at_the_working_folder(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given = {"database": "sqlite:///d.db", "spool": "s"}
    file = write("")
    if by == "variable":
        for key, value in given.items():
            monkeypatch.setenv(f"PACS_AI_STORAGE_{key.upper()}", value)
    config = load_config(file, {"storage": given} if by == "flag" else None)
    assert config.storage.spool == tmp_path / "s"
    assert config.storage.database == f"sqlite:///{tmp_path}/d.db"


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_bundle(tmp_path: Path):
    (tmp_path / "demo").mkdir()
    assert load_config().models["demo"].bundle == "demo"
    (tmp_path / "demo/model.toml").touch()
    assert load_config().models["demo"].bundle == str(tmp_path / "demo")
