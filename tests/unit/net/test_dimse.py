"""Command sets, decoded here and by pynetdicom."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.dimse_messages import C_ECHO_RSP, C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode

from pacs_ai.net.dimse import Element, Field, decode_command, encode_response
from tests import net_peer as net


def by_pynetdicom(encoded: bytes) -> Dataset:
    return decode(BytesIO(encoded), True, True)


def test_a_request_of_pynetdicom() -> None:
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 513, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = UID(net.CT), UID("1.2.34")
    primitive.DataSet = BytesIO(b"data")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    pdv = next(iter(message.encode_msg(1, 0))).presentation_data_value_list[0][1]
    command = decode_command(pdv[1:])
    assert command.whole
    assert command.has_dataset
    assert command.number(Element.MESSAGE_ID) == 513
    assert command.number(Element.FIELD) == Field.C_STORE
    assert command.uid(Element.AFFECTED_CLASS) == net.CT
    assert command.uid(Element.AFFECTED_INSTANCE) == "1.2.34"


@pytest.mark.parametrize("instance", ["1.2.3", "1.2.34"])
@pytest.mark.parametrize("comment", ["", "odd", "even", "x" * 100, "a\\b\u00fc"])
def test_a_response_as_pynetdicom_reads_it(instance: str, comment: str) -> None:
    request = decode_command(net.store_command(instance, message=77))
    dataset = by_pynetdicom(encode_response(request, Field.C_STORE, 0xB000, comment))
    message = C_STORE_RSP()
    message.command_set = dataset
    assert dataset.CommandField == 0x8001
    assert dataset.MessageIDBeingRespondedTo == 77
    assert dataset.Status == 0xB000
    assert dataset.AffectedSOPInstanceUID == instance
    assert dataset.AffectedSOPClassUID == net.CT
    assert dataset.CommandDataSetType == 0x0101
    assert ("ErrorComment" in dataset) == bool(comment)
    total = sum(len(encode_response(request, Field.C_STORE, 0xB000, comment)) for _ in "1")
    assert dataset.CommandGroupLength == total - 12
    assert sorted(dataset.keys()) == list(dataset.keys())


def test_a_response_without_instance() -> None:
    request = decode_command(net.echo_command())
    dataset = by_pynetdicom(encode_response(request, Field.C_ECHO, 0))
    C_ECHO_RSP().command_set = dataset
    assert "AffectedSOPInstanceUID" not in dataset
    assert dataset.CommandField == 0x8030


@pytest.mark.parametrize(
    ("value", "uid"),
    [
        (b"1.2.3\0", "1.2.3"),
        (b"1.2.3 ", "1.2.3"),
        (b"1.2.03", "1.2.03"),
        (b"", ""),
        (b"\0", ""),
        (b"../x", ""),
        (b"1.2.3\n", ""),
        (b"1" * 65, ""),
        (b"1.2\xb2", ""),
    ],
)
def test_uids(value: bytes, uid: str) -> None:
    command = decode_command(net.command({0x1000: value}))
    assert command.uid(Element.AFFECTED_INSTANCE) == uid


def test_absent_and_ill_sized_values() -> None:
    command = decode_command(net.command({0x110: b"\1", 0x800: b""}))
    assert command.number(Element.MESSAGE_ID) is None
    assert command.number(Element.FIELD) is None
    assert command.uid(Element.AFFECTED_CLASS) is None
    assert not command.has_dataset


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    command = decode_command(data)
    command.number(Element.FIELD)
    command.uid(Element.AFFECTED_INSTANCE)
    assert encode_response(command, Field.C_STORE, 0)


@given(st.binary(max_size=100))
def test_a_break_keeps_what_came_before(tail: bytes) -> None:
    sound = net.store_command(message=9)
    command = decode_command(sound + b"\xff\xff" + tail)
    assert not command.whole
    assert command.number(Element.MESSAGE_ID) == 9
