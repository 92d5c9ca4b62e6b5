"""Archives and modalities that bend the rules: the study is stored, analysed, and delivered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest

from pacs_ai.dicom.part10 import MAX_META, read_meta
from tests import net_peer as net
from tests import odd_peer as odd
from tests.archive import to_archive
from tests.net_peer import Peer, data_pdu, fragment, item
from tests.node import Node, node
from tests.samples import sample

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def data_set() -> bytes:
    """One of pydicom's CT images as a modality sends it."""
    content = sample().read_bytes()
    return content[read_meta(content[:MAX_META]).dataset_offset :]


def send(one: Node, data: bytes) -> int:
    uid = str(pydicom.dcmread(sample()).SOPInstanceUID)
    with Peer(one.port) as peer:
        peer.associate(contexts=[net.context(1, net.CT, [net.EXPLICIT])])
        peer.send(data_pdu(fragment(1, 3, net.store_command(uid))))
        for at in range(0, len(data), 8000):
            last = 2 if at + 8000 >= len(data) else 0
            peer.send(data_pdu(fragment(1, last, data[at : at + 8000])))
        status = peer.status()
        peer.release()
    return status


PRIVATE = b"\x09\0\x10\0LO\4\0WHO \x09\0\1\x10\0\0\4\0what"


def with_private(data: bytes) -> bytes:
    """Put a private element with NUL bytes as its VR before group 0010."""
    at = data.index(b"\x10\0\x10\0PN")
    return data[:at] + PRIVATE + data[at:]


@contextmanager
def beside(peer: odd.OddPeer, folder: Path, port: int) -> Iterator[Node]:
    """A node that sends its results to such a peer."""
    with odd.listening(peer) as address:
        extra = to_archive(address.port, peer="retry_max_seconds = 2")
        with node(folder / "node", port, extra=extra) as one:
            one.start()
            yield one


def test_what_archives_store_is_stored_and_analysed(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    peer = odd.OddPeer()
    odd_data = with_private(data_set()).replace(b"\x28\0\x10\0US", b"\x28\0\x10\0us") + bytes(100)
    with beside(peer, tmp_path, free_port()) as one:
        assert send(one, odd_data) == 0x0000
        one.wait_for(lambda: one.states("delivery") == ["STORED"] * 2)
        assert len(peer.stored) == 2
        assert one.query("SELECT unusable_reason FROM instance") == [("",)]


def strange(request: bytes) -> bytes:
    """Answer with all that is unusual at once."""
    user = item(0x5F, b"xxxx") + odd.LENGTH + item(0x52, b"") + item(0x55, b"V\xe9rsion " * 9)
    return odd.acceptance(odd.accept_all(request), item(0x50, user))


def test_results_reach_an_archive_with_odd_answers(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    peer = odd.OddPeer(answer=strange)
    with beside(peer, tmp_path, free_port()) as one:
        assert send(one, data_set()) == 0x0000
        one.wait_for(lambda: one.states("delivery") == ["STORED"] * 2)
        assert len(peer.stored) == 2
        done = one.command("echo", "archive")
        assert done.returncode == 0, done.stderr
