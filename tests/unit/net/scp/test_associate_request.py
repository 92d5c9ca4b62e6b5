"""Association requests, ours to decode and pynetdicom's to encode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import build_context

from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.scp.associate_request import AssociateRequest, UserIdentity, decode_request
from tests import net_peer as net

TITLES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-", min_size=1, max_size=16)
UIDS = st.lists(st.integers(0, 10**9), min_size=2, max_size=6).map(
    lambda parts: ".".join(map(str, parts))
)


def encoded(
    contexts: list[tuple[str, list[str]]],
    calling: str = "PEER",
    called: str = "AI_NODE",
    max_length: int = 16384,
    extra: tuple[object, ...] = (),
) -> bytes:
    """What pynetdicom sends, without the PDU header."""
    proposed = []
    for index, (abstract, syntaxes) in enumerate(contexts):
        context = build_context(UID(abstract), [UID(one) for one in syntaxes])
        context.context_id = 2 * index + 1
        proposed.append(context)
    length = MaximumLengthNotification()
    length.maximum_length_received = max_length
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID("1.2.3.4")
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = "VERSION_1"
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID(net.APPLICATION_CONTEXT)
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    primitive.presentation_context_definition_list = proposed
    primitive.user_information = [length, implementation, version, *extra]  # type: ignore[list-item]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return pdu.encode()[6:]


@given(
    TITLES,
    TITLES,
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(UIDS, st.lists(UIDS, min_size=1, max_size=5, unique=True)), min_size=1),
)
def test_all_that_pynetdicom_encodes(
    calling: str, called: str, max_length: int, contexts: list[tuple[str, list[str]]]
) -> None:
    request = decode_request(encoded(contexts, calling, called, max_length))
    assert (request.calling_aet, request.called_aet) == (calling, called)
    assert request.max_pdu == max_length
    assert request.protocol_version == 1
    assert request.application_context == net.APPLICATION_CONTEXT
    assert request.implementation_class_uid == "1.2.3.4"
    assert request.implementation_version == "VERSION_1"
    decoded = [
        (one.abstract_syntax, list(one.transfer_syntaxes)) for one in request.contexts.values()
    ]
    assert decoded == contexts
    assert list(request.contexts) == [2 * index + 1 for index in range(len(contexts))]


def test_optional_items() -> None:
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid, role.scu_role, role.scp_role = UID(net.COMMITMENT), False, True
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 7
    window.maximum_number_operations_performed = 7
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.primary_field, identity.secondary_field = b"name", b"passcode"
    identity.positive_response_requested = True
    contexts = [(net.CT, [net.IMPLICIT])]
    request = decode_request(encoded(contexts, extra=(role, window, identity)))
    assert request.roles == {net.COMMITMENT: (False, True)}
    assert request.identity == UserIdentity(2, b"name", b"passcode", response_requested=True)
    assert b"passcode" not in repr(request).encode()


def test_uids_that_are_none_are_never_matched() -> None:
    body = net.request(contexts=[net.context(1, "1.2/../3", ["\xff", net.IMPLICIT])])[6:]
    context = decode_request(body).contexts[1]
    assert context.abstract_syntax == ""
    assert context.transfer_syntaxes == ("", net.IMPLICIT)


def test_padded_uids() -> None:
    body = net.request(contexts=[net.context(1, net.CT + "\0", [net.IMPLICIT + " "])])[6:]
    context = decode_request(body).contexts[1]
    assert (context.abstract_syntax, context.transfer_syntaxes) == (net.CT, (net.IMPLICIT,))


def test_too_many_items() -> None:
    many = net.item(0x99, b"") * 33_000
    body = net.request()[6:] + many
    with pytest.raises(ProtocolViolation, match="more items"):
        decode_request(body)


def decodes_or_refuses(body: bytes) -> AssociateRequest | None:
    try:
        return decode_request(body)
    except ProtocolViolation:
        return None


@given(st.binary(max_size=2000))
def test_any_bytes(body: bytes) -> None:
    decodes_or_refuses(body)


SOUND = net.request(
    user=net.user_information(
        net.item(0x54, b"\0\x051.2.3\x01\x01") + net.item(0x58, b"\x01\x00\0\x02me\0\0")
    )
)[6:]


@given(st.integers(0, len(SOUND) - 1), st.integers(0, 255), st.integers(0, len(SOUND)))
def test_sound_ones_damaged(position: int, value: int, end: int) -> None:
    damaged = bytearray(SOUND)
    damaged[position] = value
    decodes_or_refuses(bytes(damaged[:end]))
    decodes_or_refuses(bytes(damaged))
