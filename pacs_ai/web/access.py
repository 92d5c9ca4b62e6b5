"""Who asks, and whether they may."""

import dataclasses
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.requests import Request

from pacs_ai.config.web import TrustedProxy
from pacs_ai.domain import Role
from pacs_ai.errors import ConfigError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.tokens import LOCAL, had_tokens, has_tokens, token_owner
from pacs_ai.web.attempts import Attempts
from pacs_ai.web.errors import LoginNeeded, RoleTooLow
from pacs_ai.web.origin import require_own_page
from pacs_ai.web.sessions import session_token

_FORWARDED = ("forwarded", "x-forwarded-for")
_LONGEST_NAME = 64
_LONGEST_ADDRESS = 45
"""Characters that an event keeps."""
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name for the audit trail, and the role; no role if there is none for them.

    ``local`` is a program on this machine that shows no token.
    """

    name: str
    role: Role | None
    local: bool = False


def authorise(request: Request, role: Role, *, from_this_machine: bool = False) -> Caller:
    """Return who asks.

    Parameters
    ----------
    role
        The least role.
    from_this_machine
        Whether a program on this machine needs no token, as long as none has been made.

    Raises
    ------
    AccessError
        If they may not.
    """
    caller = identify(request)
    if caller is None or (caller.local and role is not Role.VIEWER and not from_this_machine):
        raise LoginNeeded("this needs a token: make one with pacs-ai tokens add")
    if not caller.local and (caller.role is None or not caller.role.includes(role)):
        raise RoleTooLow(f"this needs the role {role}; {caller.name} has {caller.role or 'none'}")
    return caller


def identify(request: Request) -> Caller | None:
    """Return who asks; None if nothing tells.

    Raises
    ------
    AccessError
        If they show a wrong token, or another page asks in their name.
    """
    node: FlowContext = request.app.state.node
    given = request.headers.get("authorization")
    if given is not None:
        return _by_token(node, request, given)
    session = session_token(node, request)
    if session is not None:
        require_own_page(request, in_browser=True)
        return Caller(session.name, session.role)
    web = node.config.web
    proxied = _by_proxy(web.trusted_proxy, request)
    if proxied is None and not _reads_freely(node, request):
        return None
    require_own_page(request, in_browser=False)
    return proxied or Caller(LOCAL, Role.VIEWER, local=True)


def acting(node: FlowContext, caller: Caller | None, request: Request) -> FlowContext:
    """Return the node as it is changed in the name of who asks; None stands for nobody known."""
    caller = caller or Caller(_UNKNOWN, None)
    person = "" if caller.local or caller.name == _UNKNOWN else caller.name[:_LONGEST_NAME]
    address = address_of(request)[:_LONGEST_ADDRESS]
    return dataclasses.replace(node, owner=caller.name, user=person, address=address)


def require_protection(context: FlowContext) -> None:
    """Refuse to serve others than this machine where nothing tells who asks.

    Raises
    ------
    ConfigError
        If so.
    """
    web = context.config.web
    if not (is_loopback(web.host) or web.trusted_proxy.addresses or has_tokens(context)):
        raise ConfigError(
            f"web.host: {web.host} can be reached by others, and there is no token: make one with"
            " pacs-ai tokens add, or set web.host to 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own, which nobody else reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _by_token(node: FlowContext, request: Request, header: str) -> Caller:
    """Return whose bearer token this is (RFC 6750)."""
    scheme, _, token = header.partition(" ")
    owner = token_owner(node, token.strip()) if scheme.lower() == "bearer" else None
    if owner is None:
        attempts: Attempts = request.app.state.bearer_attempts
        attempts.require_few(address_of(request))
        attempts.note_failure(address_of(request))
        raise LoginNeeded("the token is not valid: make one with pacs-ai tokens add")
    return Caller(owner.name, owner.role)


def _by_proxy(proxy: TrustedProxy, request: Request) -> Caller | None:
    """Return the user whom a trusted proxy names."""
    user = request.headers.get(proxy.user_header, "").strip()
    if not user or not is_proxy(proxy, request):
        return None
    groups = [one.strip() for one in request.headers.get(proxy.groups_header, "").split(",")]
    roles = [proxy.roles[group] for group in groups if group in proxy.roles]
    # the prefix keeps users apart from tokens and from the node's own processes
    name = "proxy:" + "".join(sign if sign.isprintable() else "?" for sign in user)
    return Caller(name[:_LONGEST_NAME], _highest(roles) or proxy.role)


def is_proxy(proxy: TrustedProxy, request: Request) -> bool:
    """Whether a request comes from a trusted proxy."""
    networks = [ipaddress.ip_network(one, strict=False) for one in proxy.addresses]
    try:
        address = ipaddress.ip_address(address_of(request))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in networks)


def address_of(request: Request) -> str:
    """Return the address that a request comes from."""
    return request.client.host if request.client is not None else ""


def _highest(roles: Iterable[Role]) -> Role | None:
    ranked = list(Role)
    return max(roles, key=ranked.index, default=None)


def _reads_freely(node: FlowContext, request: Request) -> bool:
    """Whether a request needs no token: this machine alone is served, and nobody ever made one."""
    web = node.config.web
    forwarded = any(name in request.headers for name in _FORWARDED)
    return (
        is_loopback(web.host)
        and is_loopback(address_of(request))
        and not forwarded
        and not web.trusted_proxy.addresses
        and not had_tokens(node)
    )
