"""What is accepted of what is proposed; the answer as pynetdicom reads it."""

import pytest
from pynetdicom.pdu import A_ASSOCIATE_AC
from pynetdicom.pdu_primitives import A_ASSOCIATE

from pacs_ai.net.contexts import (
    STORAGE_CLASSES,
    TRANSFER_SYNTAXES,
    ContextPolicy,
    Service,
)
from pacs_ai.net.scp.associate_request import decode_request
from pacs_ai.net.scp.negotiation import Agreement, negotiate
from tests import net_peer as net

BIG = "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.50"
PRIVATE = "1.2.276.0.99.1"
RETIRED = "1.2.840.10008.5.1.4.1.1.5"
FIND = "1.2.840.10008.5.1.4.1.2.1.1"
MAX_PDU = 65536


def agree(*contexts: bytes, policy: ContextPolicy | None = None, user: bytes = b"") -> Agreement:
    body = net.request(contexts=contexts, user=net.user_information(user))[6:]
    return negotiate(decode_request(body), policy or ContextPolicy(), MAX_PDU)


def answer(agreement: Agreement) -> A_ASSOCIATE:
    pdu = A_ASSOCIATE_AC()
    pdu.decode(agreement.pdu)
    return pdu.to_primitive()


def results(agreement: Agreement) -> dict[int, int]:
    listed = answer(agreement).presentation_context_definition_results_list
    return {one.context_id: one.result for one in listed}  # type: ignore[misc]


def test_the_first_syntax_we_take_is_chosen() -> None:
    agreement = agree(
        net.context(1, net.CT, [JPEG, net.EXPLICIT]),
        net.context(3, net.CT, [net.EXPLICIT, JPEG]),
        net.context(5, net.CT, ["1.2.3", BIG, net.IMPLICIT]),
        net.context(7, net.VERIFICATION, [JPEG, BIG]),
    )
    chosen = {number: one.transfer_syntax for number, one in agreement.contexts.items()}
    assert chosen == {1: JPEG, 3: net.EXPLICIT, 5: BIG, 7: BIG}
    listed = answer(agreement).presentation_context_definition_results_list
    assert {one.context_id: str(one.transfer_syntax[0]) for one in listed} == chosen


def test_refusals_say_why() -> None:
    agreement = agree(
        net.context(1, FIND, [net.IMPLICIT]),
        net.context(3, net.CT, ["1.2.3"]),
        net.context(5, net.VERIFICATION, [JPEG]),
        net.context(7, "not a uid", [net.IMPLICIT]),
        net.context(9, net.CT, ["1.2.840.10008.1.2.7.1"]),
    )
    assert results(agreement) == {1: 3, 3: 4, 5: 4, 7: 3, 9: 4}
    assert agreement.contexts == {}


@pytest.mark.parametrize("uid", [PRIVATE, RETIRED])
def test_unknown_storage_classes_by_policy(uid: str) -> None:
    context = net.context(1, uid, [net.IMPLICIT])
    assert agree(context).contexts[1].service is Service.STORAGE
    assert results(agree(context, policy=ContextPolicy(accept_unknown=False))) == {1: 3}


def test_every_class_and_every_syntax() -> None:
    classes = [*STORAGE_CLASSES]
    for start in range(0, len(classes), 128):
        batch = classes[start : start + 128]
        proposed = [
            net.context(2 * at + 1, uid, [TRANSFER_SYNTAXES[at % len(TRANSFER_SYNTAXES)]])
            for at, uid in enumerate(batch)
        ]
        agreement = agree(*proposed, policy=ContextPolicy(accept_unknown=False))
        assert [one.abstract_syntax for one in agreement.contexts.values()] == batch
        assert set(results(agreement).values()) == {0}


def test_the_rest_of_the_answer() -> None:
    body = net.request(called=b"AI_NODE\0\0\0\0\0\0\0\0\0", calling=b"   PEER         ")[6:]
    agreement = negotiate(decode_request(body), ContextPolicy(), MAX_PDU)
    assert agreement.pdu[10:74] == body[4:68]
    primitive = answer(agreement)
    assert primitive.maximum_length_received == MAX_PDU
    assert str(primitive.implementation_class_uid).startswith("2.25.")
    assert primitive.application_context_name == net.APPLICATION_CONTEXT


def role(scu: int, scp: int, uid: str = net.COMMITMENT) -> bytes:
    return net.item(0x54, len(uid).to_bytes(2, "big") + uid.encode() + bytes((scu, scp)))


@pytest.mark.parametrize(
    ("gives", "proposed", "reply", "accepted"),
    [
        (True, None, None, True),
        (False, None, None, True),
        (False, (0, 1), (False, True), True),
        (True, (0, 1), (False, True), True),
        (True, (1, 0), (True, False), True),
        (False, (1, 0), None, False),
        (True, (1, 1), (True, True), True),
        (False, (1, 1), (False, True), True),
        (True, (0, 0), None, False),
    ],
)
def test_roles_of_storage_commitment(
    gives: bool,
    proposed: tuple[int, int] | None,
    reply: tuple[bool, bool] | None,
    accepted: bool,
) -> None:
    agreement = agree(
        net.context(1, net.COMMITMENT, [net.IMPLICIT]),
        policy=ContextPolicy(gives_commitment=gives),
        user=b"" if proposed is None else role(*proposed),
    )
    assert (1 in agreement.contexts) is accepted
    items = [one for one in answer(agreement).user_information if hasattr(one, "scu_role")]
    assert [(one.scu_role, one.scp_role) for one in items] == ([reply] if reply else [])


def test_roles_of_storage_stay_the_default() -> None:
    agreement = agree(net.context(1, net.CT, [net.IMPLICIT]), user=role(1, 1, net.CT))
    assert 1 in agreement.contexts
    assert not any(hasattr(one, "scu_role") for one in answer(agreement).user_information)
