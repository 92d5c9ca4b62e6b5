"""A peer that takes no label maps gets the binary segmentation, or else a picture."""

from collections.abc import Sequence

import pytest

from pacs_ai.config import Config, DimsePeer, FolderPeer, Rule
from pacs_ai.dicom.modules import LABEL_MAP_SEGMENTATION, SEGMENTATION
from pacs_ai.domain import ResultKind
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.store_results import wanted_results
from tests import odd_peer as odd
from tests.unit.flow.ready import dimse, ready
from tests.unit.flow.test_substitute import without
from tests.unit.results.samples import CONTEXT

LABELS = {"kind": "label_map", "sop_class_uid": LABEL_MAP_SEGMENTATION}
BITS = {"kind": "seg", "sop_class_uid": SEGMENTATION}


@pytest.mark.parametrize(
    ("refused", "sent"),
    [
        ((), ["label_map", "label_map"]),
        ((LABEL_MAP_SEGMENTATION,), ["seg", "seg"]),
        ((LABEL_MAP_SEGMENTATION, SEGMENTATION), ["capture"]),
    ],
)
def test_it_goes_as_binary_segmentation_then_as_a_picture(
    context: FlowContext, refused: Sequence[str], sent: list[str]
) -> None:
    archive = odd.OddPeer(answer=without(*refused))
    with odd.listening(archive) as address:
        reserve = ({**BITS, "send_to": ()}, {**BITS, "send_to": ()}, {"send_to": ()})
        peers = {"pacs": dimse(address.port)}
        patient = ready(context, peers, results=(LABELS, LABELS, *reserve))
        for _ in range(3):
            patient.deliver()
    kinds = {one.sop_instance_uid: one.kind for one in patient.results()}
    assert [kinds[uid] for uid in archive.stored] == sent
    assert set(patient.states()) <= {"STORED", "CANCELLED"}


def test_a_peer_that_gets_the_segmentation_anyway_gets_it_once(context: FlowContext) -> None:
    archive = odd.OddPeer(answer=without(LABEL_MAP_SEGMENTATION))
    with odd.listening(archive) as address:
        patient = ready(context, {"pacs": dimse(address.port)}, results=(LABELS, BITS))
        patient.deliver()
        assert sorted(patient.deliver()) == ["CANCELLED", "STORED"]
    assert len(archive.stored) == 1
    [left] = [one for one in patient.rows() if one.state == "CANCELLED"]
    assert left.error_text == "the peer refuses this class; it gets the seg of the job"


@pytest.mark.parametrize(
    ("results", "peer", "expected"),
    [
        (("report", "label_map"), (), ["capture", "seg"]),
        (("capture", "label_map"), (), ["seg"]),
        (("capture", "seg", "label_map"), (), []),
        (("seg", "label_map"), (), ["capture"]),
        (("report", "seg"), (), ["capture"]),
        (("report", "capture", "label_map"), ("report",), []),
    ],
)
def test_what_takes_its_place_is_kept_in_reserve(
    results: Sequence[str], peer: Sequence[str], expected: list[str]
) -> None:
    kinds = tuple(ResultKind(one) for one in peer) or None
    archive = DimsePeer(ae_title="PACS", host="127.0.0.1", port=104, results=kinds)
    rule = Rule(
        name="all",
        model="demo",
        send_to=("pacs",),
        results=tuple(ResultKind(one) for one in results),
    )
    config = Config(peers={"pacs": archive}, rules=(rule,))
    assert wanted_results(config, [rule], lambda _: CONTEXT).in_reserve == expected


def test_a_folder_refuses_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = FolderPeer(kind="folder", path=tmp_path_factory.mktemp("drop"))
    rule = Rule(name="all", model="demo", send_to=("drop",), results=(ResultKind.LABEL_MAP,))
    config = Config(peers={"drop": folder}, rules=(rule,))
    assert wanted_results(config, [rule], lambda _: CONTEXT).in_reserve == []
