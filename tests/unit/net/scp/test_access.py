"""Who may associate."""

from dataclasses import replace

import pytest

from pacs_ai.net import pdu
from pacs_ai.net.scp.access import refusal
from pacs_ai.net.scp.associate_request import decode_request
from tests import net_peer as net


@pytest.mark.parametrize(
    ("accept_from", "calling", "peer_ip", "let_in"),
    [
        ((), "ANY", "127.0.0.1", True),
        ((), "ANY", "127.8.9.1", True),
        ((), "ANY", "::1", True),
        ((), "ANY", "10.0.0.1", False),
        (("PACS",), "PACS", "10.0.0.1", True),
        (("PACS",), "pacs", "10.0.0.1", False),
        (("PACS",), "PACS2", "127.0.0.1", False),
        (("CT_*", "PACS"), "CT_1", "10.0.0.1", True),
        (("*@10.1.2.*",), "ANY", "10.1.2.3", True),
        (("*@10.1.2.*",), "ANY", "10.1.3.3", False),
        (("PACS@10.0.0.0/8",), "PACS", "10.200.1.1", True),
        (("PACS@10.0.0.0/8",), "CT", "10.200.1.1", False),
        (("PACS@fd00::/8",), "PACS", "fd12::1", True),
        (("PACS@fd00::/8",), "PACS", "10.0.0.1", False),
    ],
)
def test_who_may_call(
    accept_from: tuple[str, ...], calling: str, peer_ip: str, let_in: bool
) -> None:
    request = decode_request(net.request(calling=calling)[6:])
    settings = replace(net.SETTINGS, accept_from=accept_from)
    reason = refusal(request, peer_ip, settings)
    assert reason is (None if let_in else pdu.RejectReason.CALLING_AET)
