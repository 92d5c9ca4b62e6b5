"""What only happens when a thread is held up at the wrong moment, made to happen."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pynetdicom.association
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID
from pynetdicom.dimse import DIMSEServiceProvider

from pacs_ai.net import client
from tests import net_peer as net

pytestmark = pytest.mark.integration


class HeldUp(threading.Event):
    """An event whose waiter is slow to go on, as a thread is that has to wait for a processor."""

    def wait(self, timeout: float | None = None) -> bool:
        result = super().wait(timeout)
        time.sleep(0.02)
        return result


def instance(folder: Path, number: int) -> Path:
    """Write a small instance."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(net.EXPLICIT)
    dataset.SOPClassUID, dataset.SOPInstanceUID = UID(net.CT), UID(f"1.2.3.{number}")
    path = folder / f"{number}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def held_up_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the sender come to look for its response after the reactor did."""
    send = DIMSEServiceProvider.send_msg

    def send_and_wait(self: DIMSEServiceProvider, *message: object) -> None:
        send(self, *message)  # type: ignore[arg-type]
        time.sleep(0.1)

    monkeypatch.setattr(DIMSEServiceProvider, "send_msg", send_and_wait)


@pytest.mark.usefixtures("held_up_sender")
def test_a_response_that_the_reactor_takes_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held up between its look at the checkpoint and its next step, it takes one after another.

    From the second message of an association on: before, it has not come to the checkpoint.
    """
    held_up = SimpleNamespace(**vars(threading))
    held_up.Event = HeldUp
    monkeypatch.setattr(pynetdicom.association, "threading", held_up)
    (tmp_path / "node").mkdir()
    paths = [instance(tmp_path, number) for number in range(1, 6)]
    with net.running(tmp_path / "node") as node:
        peer = client.PeerAddress("AI_NODE", "127.0.0.1", node.port)
        outcomes = client.store(peer, "US", paths, timeout=10)
    assert [outcome.status for outcome in outcomes] == [0] * len(paths)
