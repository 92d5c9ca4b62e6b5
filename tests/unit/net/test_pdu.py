"""PDUs as pynetdicom reads them."""

import struct

from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ, A_RELEASE_RP, P_DATA_TF

from pacs_ai.net import pdu
from pacs_ai.net.faults import AbortReason


def test_pdus_as_pynetdicom_reads_them() -> None:
    abort = A_ABORT_RQ()
    abort.decode(pdu.abort(AbortReason.INVALID_PARAMETER))
    assert (abort.source, abort.reason_diagnostic) == (2, 6)
    rejection = A_ASSOCIATE_RJ()
    rejection.decode(pdu.reject(pdu.RejectReason.LOCAL_LIMIT))
    assert (rejection.result, rejection.source, rejection.reason_diagnostic) == (2, 3, 2)
    assert A_RELEASE_RP().encode() == pdu.RELEASE_RP


@given(st.binary(max_size=500), st.none() | st.binary(max_size=500), st.integers(0, 100))
def test_messages_in_fragments(command: bytes, dataset: bytes | None, max_length: int) -> None:
    stream = pdu.message(7, command, dataset, max_length)
    found = {1: b"", 0: b""}
    order = []
    while stream:
        length = struct.unpack_from(">L", stream, 2)[0]
        assert not max_length or length <= max(max_length, 8)
        one = P_DATA_TF()
        one.decode(stream[: 6 + length])
        (fragment,) = one.presentation_data_value_items
        control = fragment.presentation_data_value[0]
        assert fragment.presentation_context_id == 7
        found[control & 1] += fragment.presentation_data_value[1:]
        order.append(control)
        stream = stream[6 + length :]
    assert found == {1: command, 0: dataset or b""}
    ends = [control for control in order if control & 2]
    assert ends == ([3] if dataset is None else [3, 2])
