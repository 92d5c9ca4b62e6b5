"""Who may associate: AE titles, addresses, users.

An entry of the calling list is a glob pattern of the AE title, and may end in ``@`` with a glob
pattern or a network of addresses: ``PACS``, ``CT_*``, ``*@10.1.2.*``, ``PACS@10.0.0.0/8``.
"""

import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase

from pacs_ai.net.acceptor.request import AssociateRequest, UserIdentity
from pacs_ai.net.contexts import APPLICATION_CONTEXT
from pacs_ai.net.pdu import RejectReason
from pacs_ai.net.settings import ServerSettings
from pacs_ai.net.users import USERNAME_AND_PASSCODE, Users

_VERSION_1 = 0x0001


def refusal(
    request: AssociateRequest, peer_ip: str, settings: ServerSettings
) -> RejectReason | None:
    """Say why a request is refused, None if it is not (PS3.8 Section 9.3.4).

    Parameters
    ----------
    request
        What the peer asks for.
    peer_ip
        Its address.
    settings
        What we are called, who may call, and who must be identified.
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
    if settings.users is not None and not _is_user(request.identity, settings.users):
        return RejectReason.NO_REASON  # PS3.8 Table 9-21 has none for this
    return None


def _is_user(identity: UserIdentity | None, users: Users) -> bool:
    if identity is None or identity.type != USERNAME_AND_PASSCODE:
        return False
    return users.admit(identity.primary, identity.secondary)


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
