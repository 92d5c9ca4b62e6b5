"""Who asks, and whether they may."""

import ipaddress
from dataclasses import dataclass

from starlette.requests import Request

from pacs_ai.domain import Role
from pacs_ai.errors import ConfigError
from pacs_ai.flow.context import FlowContext
from pacs_ai.web.errors import LoginNeeded, RoleTooLow
from pacs_ai.web.origin import require_own_page

_LOCAL = "local"
"""Name of who asks from this machine without a token."""

_FORWARDED = ("forwarded", "x-forwarded-for")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name for the audit trail, and the role.

    ``local`` is a program on this machine that shows no token.
    """

    name: str
    role: Role
    local: bool = False


def authorise(request: Request, role: Role, *, from_this_machine: bool = False) -> Caller:
    """Return who asks.

    Parameters
    ----------
    role
        The least role.
    from_this_machine
        Whether a program on this machine needs no token.

    Raises
    ------
    AccessError
        If they may not.
    """
    caller = _identify(request)
    if caller is None or (caller.local and role is not Role.VIEWER and not from_this_machine):
        raise LoginNeeded("this needs a token: make one with pacs-ai tokens add")
    if not caller.local and not caller.role.includes(role):
        raise RoleTooLow(f"this needs the role {role}; {caller.name} has {caller.role}")
    return caller


def require_protection(context: FlowContext) -> None:
    """Refuse to serve others than this machine where nothing tells who asks.

    Raises
    ------
    ConfigError
        If so.
    """
    host = context.config.web.host
    if not is_loopback(host):
        raise ConfigError(
            f"web.host: {host} can be reached by others, and there is no token: make one with"
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


def _identify(request: Request) -> Caller | None:
    if not _from_this_machine(request):
        return None
    require_own_page(request, in_browser=False)
    return Caller(_LOCAL, Role.VIEWER, local=True)


def _from_this_machine(request: Request) -> bool:
    """Whether the connection comes from this machine, and from no proxy on it."""
    client = request.client
    forwarded = any(name in request.headers for name in _FORWARDED)
    return client is not None and is_loopback(client.host) and not forwarded
