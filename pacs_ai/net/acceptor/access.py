"""Who may associate: AE titles and addresses.

An entry of the calling list is a glob pattern of the AE title, and may end in ``@`` with a glob
pattern or a network of addresses: ``PACS``, ``CT_*``, ``*@10.1.2.*``, ``PACS@10.0.0.0/8``.
"""

import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase

from pacs_ai.net.acceptor.pdu import RejectReason
from pacs_ai.net.acceptor.request import AssociateRequest
from pacs_ai.net.contexts import APPLICATION_CONTEXT

_VERSION_1 = 0x0001


def refusal(
    request: AssociateRequest,
    peer_ip: str,
    ae_titles: Sequence[str],
    accept_from: Sequence[str],
) -> RejectReason | None:
    """Say why a request is refused, None if it is not (PS3.8 Section 9.3.4).

    Parameters
    ----------
    request
        What the peer asks for.
    peer_ip
        Its address.
    ae_titles
        What we are called.
    accept_from
        Who may call; empty for anybody on this machine.
    """
    if not request.protocol_version & _VERSION_1:
        return RejectReason.PROTOCOL_VERSION
    if request.application_context != APPLICATION_CONTEXT:
        return RejectReason.CONTEXT_NAME
    if request.called_aet not in ae_titles:
        return RejectReason.CALLED_AET
    if not _is_title(request.calling_aet) or not _may_call(
        request.calling_aet, peer_ip, accept_from
    ):
        return RejectReason.CALLING_AET
    return None


def _is_title(title: str) -> bool:
    """Tell whether this can be an AE title: no backslash, no control characters (PS3.5 6.2)."""
    return title != "" and "\\" not in title and title.isprintable()


def _may_call(calling_aet: str, peer_ip: str, accept_from: Sequence[str]) -> bool:
    if not accept_from:
        return ipaddress.ip_address(peer_ip).is_loopback
    return any(_matches(entry, calling_aet, peer_ip) for entry in accept_from)


def _matches(entry: str, calling_aet: str, peer_ip: str) -> bool:
    title, at, address = entry.rpartition("@")
    if not at:
        return fnmatchcase(calling_aet, entry)
    return fnmatchcase(calling_aet, title) and _address_matches(address, peer_ip)


def _address_matches(pattern: str, peer_ip: str) -> bool:
    if "/" in pattern:
        return ipaddress.ip_address(peer_ip) in ipaddress.ip_network(pattern, strict=False)
    return fnmatchcase(peer_ip, pattern)
