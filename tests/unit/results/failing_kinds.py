"""Kinds of results that cannot be made."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from pacs_ai.domain import ResultKind
from pacs_ai.results import build
from pacs_ai.results.kinds import KINDS


def fail_to_make(monkeypatch: pytest.MonkeyPatch, *kinds: ResultKind) -> None:
    """Let what makes these kinds fail as a library would."""

    def fail(*_: object) -> Iterator[Dataset]:
        raise KeyError("Doe^Jane")

    failing = {kind: replace(KINDS[kind], build=fail) for kind in kinds}
    monkeypatch.setattr(build, "KINDS", {**KINDS, **failing})
