"""HTTP requests with retries, and errors that name the remedy."""

import email.utils
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from pacs_ai import __version__
from pacs_ai.errors import PeerError, PeerUnreachable

T = TypeVar("T")

_BUSY = frozenset({429, 503})
_AGAIN = frozenset({408, 425, 500, 502, 504}) | _BUSY
_REDIRECTED = 300
_SHOWN = 200
_LONGEST_WAIT = 600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a request is retried; times in seconds.

    ``attempts`` is the number of tries, ``first`` and ``longest`` limit the wait between them.
    ``timeout`` is for connecting and for reading. ``stall_bytes`` must arrive within ``stall``, so
    that a very slow server fails like a silent one.
    """

    attempts: int = 6
    first: float = 1.0
    longest: float = 60.0
    timeout: float = 60.0
    stall: float = 60.0
    stall_bytes: int = 16_384


class TransientError(Exception):
    """A temporary error; ``after`` is the wait that the server asks for, in seconds."""

    def __init__(self, reason: str, after: float = 0.0, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.after, self.unreachable = reason, after, unreachable


class RequestRefused(PeerError):
    """The server refused the request; ``status`` is the HTTP status."""

    code = PeerError.code

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Http:
    """A client of one server.

    Parameters
    ----------
    base
        Address of the server.
    retry_policy
        When and how often requests are retried.
    """

    def __init__(self, base: str, retry_policy: RetryPolicy) -> None:
        self.base, self.retry_policy = base.rstrip("/"), retry_policy
        self._client = httpx.Client(
            timeout=retry_policy.timeout,
            follow_redirects=True,
            headers={"User-Agent": f"pacs-ai/{__version__}"},
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def ask(
        self, path: str, params: Mapping[str, str], read: Callable[[str], T], *, post: bool = False
    ) -> T:
        """Request a text and parse it, with retries.

        Parameters
        ----------
        path, params
            The request.
        read
            Parses the text; raises `TransientError` if it is invalid.
        post
            Whether to POST the parameters as a form.

        Raises
        ------
        RequestRefused
            If the server refuses the request.
        PeerUnreachable
            If there is no connection, or no answer in time.
        PeerError
            If all retries fail for another reason.
        """

        def once() -> T:
            with self.stream(path, params, post=post) as response:
                self._guard(response.read)
                return read(response.text)

        return self.with_retries(once, path or "/")

    def with_retries(self, once: Callable[[], T], what: str) -> T:
        """Call a function, with retries; see `ask` for the errors."""
        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(self.retry_policy.attempts),
            wait=self._wait,
            reraise=True,
        )
        try:
            return retrying(once)
        except TransientError as error:
            kind = PeerUnreachable if error.unreachable else PeerError
            raise kind(
                f"{self.base}: {what}: {error.reason}, {self.retry_policy.attempts} times; check "
                "the address and the network, or try again later: what has arrived is kept"
            ) from error

    @contextmanager
    def stream(
        self, path: str, params: Mapping[str, str], *, post: bool = False
    ) -> Iterator[httpx.Response]:
        """Open a response to be read in chunks.

        Raises
        ------
        TransientError
            If the request can be retried.
        RequestRefused
            If it cannot.
        """
        method, where = ("POST", "data") if post else ("GET", "params")
        request = self._client.build_request(
            method,
            f"{self.base}/{path}",
            **{where: dict(params)},  # type: ignore[arg-type]
        )
        response = self._guard(lambda: self._client.send(request, stream=True))
        try:
            self._check(response)
            yield response
        finally:
            response.close()

    def chunks(self, response: httpx.Response) -> Iterator[bytes]:
        """Read a response in chunks; raise `TransientError` if it stalls or breaks off."""
        parts = response.iter_bytes()
        since, arrived = time.monotonic(), 0
        while True:
            part = self._guard(lambda: next(parts, None))
            if part is None:
                return
            yield part
            arrived += len(part)
            now = time.monotonic()
            if now - since > self.retry_policy.stall:
                if arrived < self.retry_policy.stall_bytes:
                    raise TransientError(f"only {arrived} bytes arrived in {now - since:.0f} s")
                since, arrived = now, 0

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status < _REDIRECTED:
            return
        if status in _AGAIN:
            raise TransientError(f"HTTP status {status}", _retry_after(response))
        self._guard(response.read)
        said = " ".join(response.text.split())[:_SHOWN]
        page = said.startswith("<")
        raise RequestRefused(
            f"HTTP status {status}{'' if page or not said else f': {said}'}", status
        )

    def _guard(self, do: Callable[[], T]) -> T:
        try:
            return do()
        except httpx.TimeoutException as error:
            raise TransientError("no answer in time", unreachable=True) from error
        except httpx.ConnectError as error:
            raise TransientError("no connection", unreachable=True) from error
        except (httpx.TransportError, httpx.DecodingError, httpx.TooManyRedirects) as error:
            raise TransientError(f"the answer broke off ({type(error).__name__})") from error
        except httpx.InvalidURL as error:
            raise RequestRefused(f"{self.base} is no address", 0) from error

    def _wait(self, state: RetryCallState) -> float:
        raised = state.outcome.exception() if state.outcome else None
        asked = raised.after if isinstance(raised, TransientError) else 0.0
        own = wait_random_exponential(self.retry_policy.first, self.retry_policy.longest)(state)
        return max(own, min(asked, _LONGEST_WAIT))


def _retry_after(response: httpx.Response) -> float:
    """Read the wait in seconds, given in seconds or as a date (RFC 9110 Section 10.2.3)."""
    value = response.headers.get("retry-after", "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
