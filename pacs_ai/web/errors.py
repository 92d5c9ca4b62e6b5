"""Why a request to the page or the REST API is refused; part of the tree of `pacs_ai.errors`."""

from typing import ClassVar

from pacs_ai.errors import PacsAIError


class AccessError(PacsAIError):
    """The page or the REST API refuses a request because of who asks. See docs/web.md."""

    code = "ACCESS"
    status: ClassVar[int] = 403
    """Of the HTTP response."""


class LoginNeeded(AccessError):
    """Nobody is logged in, or the token is not valid. Make one with ``pacs-ai tokens add``."""

    code = "LOGIN_NEEDED"
    status = 401


class LoginThrottled(AccessError):
    """Too many wrong tokens came from one address. Wait for a minute, then use a valid one."""

    code = "LOGIN_THROTTLED"
    status = 429


class RoleTooLow(AccessError):
    """The role of who asks does not allow this. Use a token with the role that the text names."""

    code = "ROLE_TOO_LOW"


class OriginRefused(AccessError):
    """A request has another host or origin than the page. Add its name to ``web.names``."""

    code = "ORIGIN_REFUSED"


class BadRequest(PacsAIError):
    """A request to the page or the REST API is not of the form that is described.

    Read ``/api/v1/openapi.json``; the text names the parameter.
    """

    code = "BAD_REQUEST"
