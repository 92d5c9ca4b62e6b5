"""Deliveries on an association that was kept since the one before."""

from dataclasses import replace
from pathlib import Path

from pacs_ai.destinations.addresses import address
from pacs_ai.domain import TaskKind
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.contexts import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from pacs_ai.net.scu.association import RequestedAssociation
from pacs_ai.net.scu.negotiation import Proposal
from tests import net_peer as net
from tests import odd_peer as odd
from tests.unit.flow.ready import SC, Ready, dimse, ready

PROPOSALS = [Proposal(SC, (EXPLICIT_LITTLE,)), Proposal(SC, (IMPLICIT_LITTLE,))]


def nothing(_: RequestedAssociation) -> None:
    """Do no work: the association is only opened."""


def kept(context: FlowContext, port: int, seconds: float = net.PATIENCE) -> Ready:
    """Two results that wait for an archive with which an idle association is open."""
    peer = dimse(port, keep_open_seconds=1, timeout_seconds=seconds)
    patient = ready(context, {"pacs": peer})
    config = patient.context.config
    where = address(config, peer)
    title = config.node.ae_title
    context.associations.use(where, title, PROPOSALS, seconds, nothing, idle_seconds=net.PATIENCE)
    return patient


def tried_once(patient: Ready) -> bool:
    """Whether each delivery has needed one attempt."""
    return all(
        row.attempt == 1 and patient.arrows(row) == ["PENDING", "SENDING", "STORED"]
        for row in patient.rows()
    )


def test_both_go_out_on_it(context: FlowContext, tmp_path: Path) -> None:
    with net.running(tmp_path) as archive:
        patient = kept(context, archive.port)
        assert patient.deliver() == ["STORED"] * 2
        assert len(archive.recorder.opened_for) == 1
        context.associations.close()
    assert tried_once(patient)


def test_a_dead_one_costs_no_attempt(context: FlowContext, tmp_path: Path) -> None:
    with net.running(tmp_path) as archive:
        patient = kept(context, archive.port)
        settings = replace(net.SETTINGS, port=archive.port)
    with net.running(tmp_path, settings) as archive:
        assert patient.deliver() == ["STORED"] * 2
        context.associations.close()
    assert tried_once(patient)
    assert patient.tasks(TaskKind.DELIVER) == []


def test_what_was_stored_without_an_answer_is_held(context: FlowContext) -> None:
    """The archive stores on the dead one, and says 0x0111 on the next one."""
    archive = odd.OddPeer()

    def respond(_: odd.OddPeer, number: int, request: dict[int, bytes]) -> bytes | None:
        again = request[0x1000].rstrip(b"\0").decode() in archive.stored
        archive.keep(request)
        response = odd.response(request, 0x0111 if again else 0)
        first = len(archive.requests) == 1
        return None if first else net.data_pdu(net.fragment(number, 3, response))

    archive.respond = respond
    with odd.listening(archive) as where:
        patient = kept(context, where.port)
        assert patient.deliver() == ["STORED"] * 2
        context.associations.close()
    assert archive.stored == ["2.25.1", "2.25.1", "2.25.2"]
    assert tried_once(patient)
    held, stored = patient.rows()
    assert held.error_text.startswith("0x0111: the peer holds it since an earlier try")
    assert stored.error_text == ""


def test_an_archive_that_hangs_is_tried_later(context: FlowContext) -> None:
    """On the kept one and on a new one: that is one attempt, and the delivery waits."""
    archive = odd.OddPeer()
    archive.respond = lambda *_: b""
    with odd.listening(archive) as where:
        patient = kept(context, where.port, 1)
        assert patient.deliver() == ["WAITING"] * 2
    assert [row.attempt for row in patient.rows()] == [1, 1]
    assert patient.rows()[0].may_be_held
    assert len(archive.requests) == 2
