"""``[web]``: the page, the REST API, and who may use them."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from pacs_ai.config.sections import Host, Port, Section
from pacs_ai.domain import Role


def _network(text: str) -> str:
    ipaddress.ip_network(text, strict=False)
    return text


def _header(name: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9-]{1,64}", name) is None:
        raise ValueError("must be the name of an HTTP header")
    return name


Network = Annotated[str, AfterValidator(_network)]
Header = Annotated[str, AfterValidator(_header)]


class TrustedProxy(Section):
    """``[web.trusted_proxy]``: a proxy that has logged in who asks, for example by OpenID Connect.

    Its headers are believed only where the connection comes from one of its addresses.
    """

    addresses: tuple[Network, ...] = ()
    """Addresses or networks of the proxy; empty for none."""
    user_header: Header = "X-Forwarded-User"
    """Header with the name of the user."""
    groups_header: Header = "X-Forwarded-Groups"
    """Header with the groups of the user, separated by commas."""
    roles: dict[str, Role] = Field({})
    """Group: the role of its members. Of several roles the highest counts."""
    role: Role | None = None
    """Role of users who are in none of these groups; not set: they are refused."""


class Web(Section):
    """``[web]``: where the page and the REST API are served."""

    enabled: bool = True
    """Whether ``pacs-ai listen`` serves them."""
    host: Host = "127.0.0.1"
    """Address to listen on; one of another machine's reach needs a token or a trusted proxy."""
    port: Port = 8080
    """TCP port; 0 takes a free one."""
    names: tuple[Host, ...] = ()
    """Names by which browsers reach it, besides localhost, addresses and this machine's name."""
    trusted_proxy: TrustedProxy = TrustedProxy()
