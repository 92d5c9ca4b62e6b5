"""A peer that takes no Comprehensive 3D SR gets the same report as Comprehensive SR."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config, DimsePeer, Rule
from pacs_ai.dicom.modules import COMPREHENSIVE_3D_SR, ENCAPSULATED_PDF, PARAMETRIC_MAP
from pacs_ai.domain import JobId, JobState, TaskKind
from pacs_ai.errors import NoSpace
from pacs_ai.files import IncomingFile
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.deliver import deliver
from pacs_ai.flow.substitute import substitute
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import deliveries, jobs, new_deliveries, results
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Study
from pacs_ai.store.spool import Spool
from tests import net_peer as net
from tests import odd_peer as odd
from tests.unit.flow.analysed import Patient
from tests.unit.flow.ready import SC, dimse, ready
from tests.unit.store.samples import MODEL, made

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"


def without(*classes: str) -> Callable[[bytes], bytes]:
    """Make an archive's answer that accepts all contexts but those of some classes."""

    def answer(request: bytes) -> bytes:
        return odd.acceptance(
            [
                odd.answered(
                    one.number,
                    3 * (one.abstract.decode() in classes),
                    net.item(0x40, one.syntaxes[0]),
                )
                for one in odd.proposed(request)
            ]
        )

    return answer


@pytest.fixture
def archive() -> odd.OddPeer:
    return odd.OddPeer(answer=without(COMPREHENSIVE_3D_SR))


@pytest.fixture
def received(context: FlowContext, send: Callable[..., StoreAnswer], ct: Dataset) -> FlowContext:
    """A node that has received one CT slice."""
    assert send(ct).status == 0x0000
    return context


@pytest.fixture
def patient(received: FlowContext, clock: ManualClock, archive: odd.OddPeer) -> Iterator[Patient]:
    """An analysed study: a report in 3D SR and a capture wait for two names of one archive."""
    rule = Rule(name="all", model="demo", send_to=("archive", "second"))
    with odd.listening(archive) as address:
        peer = DimsePeer(ae_title="ARCHIVE", host="127.0.0.1", port=address.port)
        peers = {"archive": peer, "second": peer}
        config = Config(storage=received.config.storage, peers=peers, rules=(rule,))
        one = Patient(replace(received, config=config), clock)
        one.route()
        assert one.analyse().state == JobState.SUCCEEDED
        yield one


def sent(patient: Patient, name: str = "archive") -> list[tuple[str, str]]:
    """Deliver to a destination; return state and kind of what is or was for it."""
    deliver(patient.context, pair_key(patient.job().id, name))
    kinds = {one.id: one.kind for one in patient.results()}
    return [
        (one.state, kinds[one.result_id]) for one in patient.deliveries() if one.destination == name
    ]


def test_a_report_that_is_refused_goes_as_comprehensive_sr(
    patient: Patient, archive: odd.OddPeer
) -> None:
    report, capture = patient.results()
    assert sorted(sent(patient)) == [("PENDING", "report 2D"), ("STORED", "capture")]
    with patient.context.database.read() as session:
        key = pair_key(patient.job().id, "archive")
        assert key in patient.context.engine.existing(session, TaskKind.DELIVER)
    assert sorted(sent(patient)) == [("STORED", "capture"), ("STORED", "report 2D")]
    older = patient.results()[-1]
    assert older.sop_class_uid == COMPREHENSIVE_SR
    assert archive.stored == [capture.sop_instance_uid, older.sop_instance_uid]
    assert report.sop_instance_uid not in archive.stored


def test_the_second_peer_gets_the_same_object(patient: Patient, archive: odd.OddPeer) -> None:
    for name in ("archive", "second"):
        sent(patient, name)
        assert {state for state, _ in sent(patient, name)} == {"STORED"}
    rows = patient.results()
    assert [one.kind for one in rows] == ["report", "capture", "report 2D"]
    assert archive.stored.count(rows[-1].sop_instance_uid) == 2


def test_a_peer_that_takes_3d_sr_gets_it(patient: Patient, archive: odd.OddPeer) -> None:
    archive.answer = without()
    assert sorted(sent(patient)) == [("STORED", "capture"), ("STORED", "report")]


def test_a_peer_that_takes_enhanced_sr_alone_gets_it(
    patient: Patient, archive: odd.OddPeer
) -> None:
    archive.answer = without(COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR)
    for _ in range(3):
        left = sorted(sent(patient))
    assert left == [("STORED", "capture"), ("STORED", "report 2D enhanced")]
    assert patient.results()[-1].sop_class_uid == ENHANCED_SR


def test_a_peer_that_takes_text_alone_gets_it(patient: Patient, archive: odd.OddPeer) -> None:
    archive.answer = without(COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, ENHANCED_SR)
    for _ in range(4):
        left = sorted(sent(patient))
    assert left == [("STORED", "capture"), ("STORED", "report text")]
    assert patient.results()[-1].sop_class_uid == BASIC_TEXT_SR
    [instead] = [one for one in patient.deliveries() if one.in_place_of]
    assert (instead.in_place_of, instead.destination) == ("report", "archive")


def test_a_peer_that_takes_none_of_them_refuses(patient: Patient, archive: odd.OddPeer) -> None:
    archive.answer = without(COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, ENHANCED_SR, BASIC_TEXT_SR)
    for _ in range(4):
        left = sorted(sent(patient))
    assert left == [("STORED", "capture"), ("WAITING", "report text")]
    codes = {one.error_code for one in patient.deliveries() if one.state == "WAITING"}
    assert codes == {"CONTEXT_REJECTED"}


def test_there_is_nothing_in_place_of_a_capture(patient: Patient, archive: odd.OddPeer) -> None:
    capture = patient.results()[1]
    archive.answer = without(capture.sop_class_uid)
    assert sorted(sent(patient)) == [("STORED", "report"), ("WAITING", "capture")]


class NoRoom(Spool):
    """A spool that takes no further file."""

    def new_incoming(self, group: str = "") -> IncomingFile:  # noqa: ARG002 - nobody asks
        raise NoSpace("no room")


def test_where_it_cannot_be_written_it_is_tried_again(patient: Patient) -> None:
    whole = patient.context
    spool = NoRoom(whole.spool.root, whole.spool.node)
    patient.context = replace(whole, spool=spool)
    assert sorted(sent(patient)) == [("STORED", "capture"), ("WAITING", "report")]
    assert not list(Path(spool.home, "tmp").iterdir())
    patient.context = whole
    patient.wait()
    sent(patient)
    assert {state for state, _ in sent(patient)} == {"STORED"}


@pytest.mark.parametrize("kinds", [("capture", "map"), ("report", "map"), ("map",)])
def test_a_map_that_is_refused_is_shown_by_the_captures(
    context: FlowContext, kinds: tuple[str, ...]
) -> None:
    captures_made = "capture" in kinds
    archive = odd.OddPeer(answer=without(PARAMETRIC_MAP))
    with odd.listening(archive) as address:
        peer = dimse(address.port)
        rows = tuple(
            {"kind": kind, "sop_class_uid": PARAMETRIC_MAP if kind == "map" else SC}
            for kind in kinds
        )
        patient = ready(context, {"pacs": peer}, results=rows)
        states = patient.deliver()
    assert states[:-1] == ["STORED"] * (len(kinds) - 1)
    row = patient.rows()[-1]
    if captures_made:
        assert row.state == "CANCELLED"
        assert row.error_text == "the peer refuses this class; it gets the capture of the job"
    else:
        assert (row.state, row.error_code) == ("WAITING", "CONTEXT_REJECTED")


def test_captures_that_the_peer_does_not_get_yet_go_in_place_of_the_map(
    context: FlowContext,
) -> None:
    archive = odd.OddPeer(answer=without(PARAMETRIC_MAP))
    with odd.listening(archive) as address:
        rows = (
            {"kind": "map", "sop_class_uid": PARAMETRIC_MAP},
            {"kind": "capture", "send_to": ()},
            {"kind": "capture", "send_to": ()},
        )
        patient = ready(context, {"pacs": dimse(address.port)}, results=rows)
        assert patient.deliver() == ["PENDING"] * 2
        assert patient.deliver() == ["STORED"] * 2
    assert archive.stored == [one.sop_instance_uid for one in patient.results()[1:]]
    assert patient.arrows(patient.rows()[0]) == [
        "PENDING",
        "SENDING",
        "PENDING",
        "SENDING",
        "STORED",
    ]


def test_a_picture_of_an_earlier_revision_shows_a_map_as_well(context: FlowContext) -> None:
    """A study that grows keeps its pictures, and their rows are those of the earlier job."""
    archive = odd.OddPeer(answer=without(PARAMETRIC_MAP))
    with odd.listening(archive) as address:
        patient = ready(context, {"pacs": dimse(address.port)}, results=({"kind": "capture"},))
        assert patient.deliver() == ["STORED"]
        with context.write() as transaction:
            study = transaction.get_one(Study, 1)
            study.revision += 1
            job = jobs.create(transaction, study, ["all"], "demo", MODEL)
            assert job is not None
            shown = made(1, kind="map", sop_class_uid=PARAMETRIC_MAP, sop_instance_uid="2.25.9")
            lease = jobs.claim(transaction, job, 60)
            assert lease is not None
            jobs.succeed(transaction, lease, [shown], "ok")
            batch = deliveries.claim(transaction, job, "pacs", lease_seconds=60)
        assert substitute(patient.context, batch[0], job, "pacs")
    assert patient.rows()[-1].state == "CANCELLED"


@pytest.mark.parametrize("kind", ["side_by_side", "contact_sheet", "stack"])
def test_other_pictures_show_a_map_as_well(context: FlowContext, kind: str) -> None:
    archive = odd.OddPeer(answer=without(PARAMETRIC_MAP))
    with odd.listening(archive) as address:
        rows = (
            {"kind": "map", "sop_class_uid": PARAMETRIC_MAP},
            {"kind": kind, "sop_class_uid": SC, "send_to": ()},
        )
        patient = ready(context, {"pacs": dimse(address.port)}, results=rows)
        patient.deliver()
        assert patient.deliver() == ["STORED"]
    assert patient.rows()[0].in_place_of == "map"


@pytest.mark.parametrize(
    ("others", "states"),
    [
        ([{"kind": "report"}], ["CANCELLED", "STORED"]),
        ([{"kind": "report", "send_to": ()}], ["STORED"]),
        ([{"kind": "report 2D", "send_to": ()}], ["WAITING"]),
        ([], ["WAITING"]),
    ],
)
def test_in_place_of_a_page_the_peer_gets_the_report(
    context: FlowContext, others: list[dict[str, object]], states: list[str]
) -> None:
    archive = odd.OddPeer(answer=without(ENCAPSULATED_PDF))
    with odd.listening(archive) as address:
        rows = ({"kind": "pdf", "sop_class_uid": ENCAPSULATED_PDF}, *others)
        patient = ready(context, {"pacs": dimse(address.port)}, results=rows)
        patient.deliver()
        assert patient.deliver() == states


def test_a_page_is_not_sent_as_a_report_that_goes_in_an_older_class_already(
    patient: Patient, archive: odd.OddPeer
) -> None:
    archive.answer = without(COMPREHENSIVE_3D_SR)
    assert ("PENDING", "report 2D") in sent(patient)
    with patient.context.write() as transaction:
        job = JobId(patient.job().id)
        page = StoredResult("pdf", 1, ENCAPSULATED_PDF, "1.2.9", "1.2.8", "x", "", (), fresh=True)
        (row,) = results.keep(transaction, job, [page])
        new_deliveries.begin(transaction, job, [(row, "archive")])
        batch = deliveries.claim(transaction, job, "archive", lease_seconds=60)
    [claimed] = [one for one in batch if one.kind == "pdf"]
    assert substitute(patient.context, claimed, job, "archive")
    [left] = [one for one in patient.deliveries() if one.result_id == row.id]
    assert (left.state, left.in_place_of) == ("CANCELLED", "")
