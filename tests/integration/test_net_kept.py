"""Associations that stay open between two deliveries, and what becomes of dead ones."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from pacs_ai.errors import AssociationRejected, PeerError, PeerUnreachable
from pacs_ai.net import open_connections
from pacs_ai.net.faults import ConnectionGone
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import ClientTls, KeptAssociations, PeerAddress, StoreOutcome
from pacs_ai.net.status import Status
from pacs_ai.net.tls import TlsFiles
from tests import net_peer as net
from tests import odd_peer as odd
from tests.integration.test_net_client import at, instance
from tests.net_peer import Node, eventually
from tests.pki import Authority

pytestmark = pytest.mark.integration

LONG = net.PATIENCE


@pytest.fixture
def kept() -> Iterator[KeptAssociations]:
    associations = KeptAssociations()
    yield associations
    associations.close()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    (tmp_path / "node").mkdir()
    with net.running(tmp_path / "node") as node:
        yield node


def send(
    kept: KeptAssociations,
    peer: PeerAddress,
    *paths: Path,
    idle: float = LONG,
    timeout: float = net.PATIENCE,
) -> list[StoreOutcome]:
    use = partial(kept.use, idle_seconds=idle)
    return client.store(peer, "US", paths, timeout=timeout, use_association=use)


def statuses(outcomes: list[StoreOutcome]) -> list[int | str | None]:
    return [one.error_code or one.status for one in outcomes]


def test_the_next_one_uses_it(node: Node, tmp_path: Path, kept: KeptAssociations) -> None:
    for number in (1, 2, 3):
        assert statuses(send(kept, at(node.port), instance(tmp_path, number))) == [0]
    assert list(node.recorder.datasets) == ["1.2.3.1", "1.2.3.2", "1.2.3.3"]
    assert len(node.recorder.opened_for) == 1
    assert node.recorder.outcomes() == []
    kept.close()
    assert eventually(lambda: node.recorder.outcomes() == ["released"])


@pytest.mark.parametrize("idle", [0, 0.05])
def test_it_is_released_when_idle(
    node: Node, tmp_path: Path, kept: KeptAssociations, idle: float
) -> None:
    send(kept, at(node.port), instance(tmp_path), idle=idle)
    assert eventually(lambda: node.recorder.outcomes() == ["released"])
    send(kept, at(node.port), instance(tmp_path, 2), idle=idle)
    assert len(node.recorder.opened_for) == 2


def test_none_is_kept_at_stop(node: Node, tmp_path: Path, kept: KeptAssociations) -> None:
    kept.close()
    send(kept, at(node.port), instance(tmp_path))
    assert eventually(lambda: node.recorder.outcomes() == ["released"])


def test_other_contexts_need_another_one(tmp_path: Path, kept: KeptAssociations) -> None:
    (tmp_path / "one").mkdir()
    with net.running(tmp_path / "one", replace(net.SETTINGS, max_associations=1)) as one:
        send(kept, at(one.port), instance(tmp_path, 1, net.CT))
        send(kept, at(one.port), instance(tmp_path, 2, net.CT), instance(tmp_path, 3, net.MR))
        send(kept, at(one.port), instance(tmp_path, 4, net.MR))
        assert len(one.recorder.opened_for) == 2
        assert one.recorder.outcomes() == ["released"]
        kept.close()
        assert eventually(lambda: one.recorder.outcomes() == ["released"] * 2)


def test_two_at_once_do_not_share(node: Node, tmp_path: Path, kept: KeptAssociations) -> None:
    both = threading.Barrier(2, timeout=net.PATIENCE)

    def deliver(number: int) -> None:
        path = instance(tmp_path, number)
        use = partial(kept.use, idle_seconds=LONG)

        def may_leave(_: Path) -> bool:
            both.wait()
            return True

        client.store(at(node.port), "US", [path], may_leave=may_leave, use_association=use)

    threads = [threading.Thread(target=deliver, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(net.PATIENCE)
    assert sorted(node.recorder.datasets) == ["1.2.3.1", "1.2.3.2"]
    assert len(node.recorder.opened_for) == 2
    assert eventually(lambda: node.recorder.outcomes() == ["released"])


def test_an_archive_that_starts_again(tmp_path: Path, kept: KeptAssociations) -> None:
    (tmp_path / "node").mkdir()
    with net.running(tmp_path / "node") as first:
        port = first.port
        send(kept, at(port), instance(tmp_path, 1))
    with net.running(tmp_path / "node", replace(net.SETTINGS, port=port)) as second:
        assert statuses(send(kept, at(port), instance(tmp_path, 2))) == [0]
        assert list(second.recorder.datasets) == ["1.2.3.2"]
        kept.close()


@dataclass
class Leaving(odd.OddPeer):
    """Ends its first association in some way after the first answer on it."""

    after: bytes = b""
    """Sent at once after the first answer."""
    then: Callable[[bytes], bytes | None] = lambda usual: usual
    """What it sends in place of the second answer."""
    holds: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.respond = Leaving.answer_store  # type: ignore[assignment]

    def answer_store(self, context: int, request: dict[int, bytes]) -> bytes | None:
        uid = request[0x1000].rstrip(b"\0").decode()
        status = Status.DUPLICATE_INSTANCE if uid in self.stored else Status.SUCCESS
        self.keep(request)
        usual = net.data_pdu(net.fragment(context, 3, odd.response(request, status)))
        if len(self.requests) > 1:
            return usual
        return usual + self.after if len(self.stored) == 1 else self.then(usual)


DEAD = {
    "aborts": Leaving(after=odd.ABORT),
    "releases": Leaving(after=net.pdu(net.RELEASE_RQ, bytes(4))),
    "talks": Leaving(after=net.data_pdu(net.fragment(1, 3, b"nonsense"))),
    "closes": Leaving(then=lambda _: None),
    "aborts late": Leaving(then=lambda _: odd.ABORT),
    "hangs": Leaving(then=lambda _: b""),
}


@pytest.mark.parametrize("how", DEAD)
def test_a_dead_one_is_repeated_once(tmp_path: Path, kept: KeptAssociations, how: str) -> None:
    dead = DEAD[how]
    first, *paths = odd.instances(tmp_path, 3)
    with odd.listening(dead) as peer:
        assert statuses(send(kept, peer, first, timeout=1)) == [0]
        outcomes = send(kept, peer, *paths, timeout=1)
        kept.close()
    gone_out = dead.stored.count("1.2.3.2") == 2
    assert gone_out == (not dead.after)
    expected = "STORE_REFUSED" if gone_out else 0  # with 0x0111: it holds it already
    assert statuses(outcomes) == [expected, 0]
    assert [one.unanswered for one in outcomes] == [gone_out, False]
    assert len(dead.requests) == 2


def test_it_is_repeated_only_once(tmp_path: Path, kept: KeptAssociations) -> None:
    silent = odd.OddPeer()
    silent.respond = lambda peer, context, request: (
        peer.plain(context, request) if not peer.stored else None
    )
    with odd.listening(silent) as peer:
        send(kept, peer, instance(tmp_path, 1))
        outcomes = send(kept, peer, instance(tmp_path, 2))
    assert statuses(outcomes) == ["CONNECTION_GONE"]
    assert outcomes[0].unanswered
    assert len(silent.requests) == 2


def test_one_that_answered_is_not_repeated(tmp_path: Path, kept: KeptAssociations) -> None:
    ending = odd.OddPeer()
    ending.respond = lambda peer, context, request: (
        peer.plain(context, request) if len(peer.stored) < 2 else None
    )
    with odd.listening(ending) as peer:
        send(kept, peer, instance(tmp_path, 1))
        outcomes = send(kept, peer, instance(tmp_path, 2), instance(tmp_path, 3))
    assert statuses(outcomes) == [0, "CONNECTION_GONE"]
    assert len(ending.requests) == 1


def test_what_is_cut_at_the_stop_is_not_repeated(
    node: Node, tmp_path: Path, kept: KeptAssociations
) -> None:
    send(kept, at(node.port), instance(tmp_path, 1))

    def stop(_: Path) -> bool:
        kept.close()
        open_connections.cut_all()
        return True

    use = partial(kept.use, idle_seconds=LONG)
    path = instance(tmp_path, 2)
    outcomes = client.store(at(node.port), "US", [path], may_leave=stop, use_association=use)
    assert isinstance(outcomes[0].error, ConnectionGone)
    assert len(node.recorder.opened_for) == 1


def test_a_rejection_without_an_idle_one_is_one(node: Node, kept: KeptAssociations) -> None:
    other = replace(at(node.port), ae_title="OTHER")
    with pytest.raises(AssociationRejected):
        kept.without_idle(other, lambda: client.echo(other, "US"))
    assert node.recorder.opened_for == []


def test_nobody_there_after_it(tmp_path: Path, kept: KeptAssociations) -> None:
    (tmp_path / "node").mkdir()
    with net.running(tmp_path / "node") as node:
        peer = at(node.port)
        send(kept, peer, instance(tmp_path, 1))
    with pytest.raises(PeerUnreachable):
        send(kept, peer, instance(tmp_path, 2))


def test_tls(tmp_path: Path, kept: KeptAssociations) -> None:
    authority = Authority(tmp_path / "pki")
    pair = authority.sign("node")
    files = TlsFiles(pair.certificate, pair.key)
    settings = replace(net.SETTINGS, port=None, tls_port=0, tls=files)
    tls = ClientTls(authority.certificate)
    (tmp_path / "node").mkdir()
    with net.running(tmp_path / "node", settings) as node:
        peer = PeerAddress("AI_NODE", "127.0.0.1", node.server.tls_port, tls)
        for number in (1, 2):
            assert statuses(send(kept, peer, instance(tmp_path, number))) == [0]
        assert len(node.recorder.opened_for) == 1
        kept.close()
        assert eventually(lambda: node.recorder.outcomes() == ["released"])
        with pytest.raises(PeerError):
            client.echo(replace(peer, tls=ClientTls()), "US")
