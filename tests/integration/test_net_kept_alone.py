"""A kept association and archives that serve one association at a time."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification

from pacs_ai.errors import AssociationRejected
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import KeptAssociations, PeerAddress
from tests import net_peer as net
from tests.integration.test_net_client import instance
from tests.integration.test_net_kept import kept, send, statuses
from tests.net_peer import eventually

pytestmark = pytest.mark.integration

__all__ = ["kept"]


@contextmanager
def strict() -> Iterator[tuple[PeerAddress, list[str]]]:
    """An archive that accepts one association at a time and rejects others."""
    entity = AE("STRICT")
    entity.maximum_associations = 1
    for uid in (Verification, CTImageStorage):
        entity.add_supported_context(uid)
    seen: list[str] = []

    def take(event: evt.Event) -> int:
        seen.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)]
    )
    try:
        yield PeerAddress("STRICT", "127.0.0.1", server.server_address[1]), seen
    finally:
        server.shutdown()
        server.server_close()


def test_one_association_at_a_time(tmp_path: Path, kept: KeptAssociations) -> None:
    """Who rejects others because of ours gets rid of ours; others wait until it is idle."""
    with strict() as (peer, seen):
        send(kept, peer, instance(tmp_path, 1))
        with pytest.raises(AssociationRejected):
            client.echo(peer, "OTHER")
        kept.without_idle(peer, lambda: client.echo(peer, "US"))
        assert eventually(lambda: echoed(peer))  # the server counts its threads
        send(kept, peer, instance(tmp_path, 2), idle=0.05)
        assert eventually(lambda: echoed(peer))
        assert seen == ["1.2.3.1", "1.2.3.2"]


def echoed(peer: PeerAddress) -> bool:
    try:
        client.echo(peer, "OTHER")
    except AssociationRejected:
        return False
    return True


def test_an_archive_that_lets_others_wait(
    tmp_path: Path,
    kept: KeptAssociations,
    tool: Callable[[str], Path],
    free_port: Callable[[], int],
) -> None:
    """DCMTK's storescp serves one association after another: others wait until ours is idle."""
    (tmp_path / "archive").mkdir()
    peer = PeerAddress("DCMTK", "127.0.0.1", free_port())
    command = [tool("storescp"), "-od", tmp_path / "archive", str(peer.port)]
    with subprocess.Popen(command, env={"TCP_NODELAY": "1"}) as archive:
        try:
            assert eventually(lambda: listens(peer.port))
            assert statuses(send(kept, peer, instance(tmp_path, 1))) == [0]
            assert statuses(send(kept, peer, instance(tmp_path, 2), idle=0.3)) == [0]
            client.echo(peer, "OTHER", timeout=net.PATIENCE)
            assert statuses(send(kept, peer, instance(tmp_path, 3), idle=0)) == [0]
        finally:
            archive.terminate()
    assert len(list((tmp_path / "archive").iterdir())) == 3


def listens(port: int) -> bool:
    try:
        net.Peer(port).sock.close()
    except ConnectionRefusedError:
        return False
    return True
