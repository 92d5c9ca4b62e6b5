"""A kind of destination of one's own, as docs/extending.md describes it."""

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from pacs_ai.config import Config
from pacs_ai.config.peer_kinds import PEER_KINDS
from pacs_ai.config.peers import Peer
from pacs_ai.config.sections import Folder
from pacs_ai.destinations.base import (
    DeliveryAnswer,
    DeliveryOutcome,
    Destination,
    MayLeave,
    OutgoingFile,
)
from pacs_ai.destinations.kinds import KINDS
from pacs_ai.errors import PeerUnreachable
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.deliver import probe
from pacs_ai.net.scu.client import KeptAssociations
from tests.unit.flow.ready import ready


class TapePeer(Peer):
    """``kind = "tape"``: a tar file that grows."""

    kind: Literal["tape"] = "tape"
    path: Folder

    @property
    def where(self) -> str:
        return str(self.path)


class TapeDestination:
    """Adds each file to the end of a tape, once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def deliver(
        self, files: Sequence[OutgoingFile], may_leave: MayLeave
    ) -> Sequence[DeliveryOutcome]:
        return [self._add(file, may_leave) for file in files]

    def probe(self) -> None:
        if not self.path.exists():
            raise PeerUnreachable(f"no tape at {self.path}")

    def _add(self, file: OutgoingFile, may_leave: MayLeave) -> DeliveryOutcome:
        if not may_leave(file):
            return DeliveryOutcome(DeliveryAnswer.WITHHELD)
        try:
            self.probe()
        except PeerUnreachable as error:
            return DeliveryOutcome(DeliveryAnswer.NOT_NOW, error)
        with tarfile.open(self.path, "a") as tape:
            tape.add(file.path, file.sop_instance_uid)
        return DeliveryOutcome(DeliveryAnswer.STORED, note=f"at {self.path.stat().st_size}")


def _tape(
    _config: Config, _name: str, peer: TapePeer, _associations: KeptAssociations
) -> Destination:
    return TapeDestination(peer.path)


def test_results_go_to_a_tape(
    context: FlowContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PEER_KINDS, "tape", TapePeer)
    monkeypatch.setitem(KINDS, TapePeer, _tape)
    path = tmp_path / "tape.tar"
    config = Config.model_validate({"peers": {"pacs": {"kind": "tape", "path": str(path)}}})
    patient = ready(context, config.peers)
    assert patient.deliver() == ["WAITING"] * 2
    tarfile.open(path, "w").close()
    assert probe(patient.context) == 1
    assert patient.deliver() == ["STORED"] * 2
    with tarfile.open(path) as tape:
        assert tape.getnames() == [one.sop_instance_uid for one in patient.results()]
    assert all(one.error_text.startswith("at ") for one in patient.rows())
