"""A database that cannot be opened: the text says what to do, and quotes no password."""

import sys

import pytest

from pacs_ai.errors import ConfigError
from pacs_ai.store.session import Database


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"psycopg is not installed.*pip install") as caught:
        Database("postgresql+psycopg://me:hunter2@localhost/x")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql+psycopg://me:hunter2@localhost:port/x", "nonsense"])
def test_what_is_no_url_is_said_to_be_none(url: str):
    with pytest.raises(ConfigError, match="not the URL of a database") as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)
