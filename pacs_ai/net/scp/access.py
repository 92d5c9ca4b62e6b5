"""Who may associate: AE titles and addresses.

An entry of the calling list is a glob pattern of the AE title, and may end in ``@`` with a glob
pattern or a network of addresses: ``PACS``, ``CT_*``, ``*@10.1.2.*``, ``PACS@10.0.0.0/8``.
"""

import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase

from pacs_ai.net.contexts import APPLICATION_CONTEXT, VERIFICATION
from pacs_ai.net.pdu import RejectReason
from pacs_ai.net.scp.associate_request import AssociateRequest
from pacs_ai.net.scp.settings import ServerSettings

_VERSION_1 = 0x0001


def refusal(
    request: AssociateRequest, peer_ip: str, settings: ServerSettings
) -> RejectReason | None:
    """Return why a request is refused, None if it is not (PS3.8 Section 9.3.4).

    Parameters
    ----------
    request
        What the peer asks for.
    peer_ip
        Its address.
    settings
        Our AE titles, and who may call.
    """
    if not request.protocol_version & _VERSION_1:
        return RejectReason.PROTOCOL_VERSION
    if request.application_context != APPLICATION_CONTEXT:
        return RejectReason.CONTEXT_NAME
    if request.called_aet not in settings.ae_titles:
        return RejectReason.CALLED_AET
    if not _is_title(request.calling_aet) or not _may_call(
        request.calling_aet, peer_ip, settings.accept_from
    ):
        return RejectReason.CALLING_AET
    return None


def asks_itself(
    request: AssociateRequest, peer_ip: str, local_ip: str, settings: ServerSettings
) -> bool:
    """Tell whether this is the health check of the node itself.

    That is a request for Verification alone, from this machine, under the node's own AE title. It
    is always accepted: a health check needs no entry in ``accept_from``, no user and no free
    place.
    """
    same_machine = peer_ip == local_ip or ipaddress.ip_address(peer_ip).is_loopback
    return (
        same_machine
        and request.calling_aet in settings.ae_titles
        and request.called_aet in settings.ae_titles
        and request.protocol_version & _VERSION_1 != 0
        and request.application_context == APPLICATION_CONTEXT
        and all(one.abstract_syntax == VERIFICATION for one in request.contexts.values())
    )


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
