"""Requests that are tried again when that helps, and errors that say what to do when not."""

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
class Patience:
    """How long is waited, and how often tried again; times in seconds.

    ``timeout`` is for a connection and for silence, ``stall`` the time within which
    ``stall_bytes`` must have arrived: a server that drips is given up like one that is silent.
    """

    attempts: int = 6
    first: float = 1.0
    longest: float = 60.0
    timeout: float = 60.0
    stall: float = 60.0
    stall_bytes: int = 16_384


class Transient(Exception):
    """Something that may go away; ``after`` is how long the server asks to wait, in seconds."""

    def __init__(self, reason: str, after: float = 0.0, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.after, self.unreachable = reason, after, unreachable


class Refused(PeerError):
    """The server objects to this very request; ``status`` is its HTTP status."""

    code = PeerError.code

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Http:
    """One server.

    Parameters
    ----------
    base
        Its address.
    patience
        How long is waited, and how often tried again.
    """

    def __init__(self, base: str, patience: Patience) -> None:
        self.base, self.patience = base.rstrip("/"), patience
        self._client = httpx.Client(
            timeout=patience.timeout,
            follow_redirects=True,
            headers={"User-Agent": f"pacs-ai/{__version__}"},
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def ask(
        self, path: str, params: Mapping[str, str], read: Callable[[str], T], *, post: bool = False
    ) -> T:
        """Ask for a text and make sense of it, trying again as often as patience allows.

        Parameters
        ----------
        path, params
            What to ask for.
        read
            Makes sense of the text; raises `Transient` where there is none.
        post
            Whether the parameters go as a form.

        Raises
        ------
        Refused
            If the server objects to the request.
        PeerUnreachable
            If there is no connection, or no answer in time.
        PeerError
            If it fails for another reason, again and again.
        """

        def once() -> T:
            with self.stream(path, params, post=post) as response:
                self._guard(response.read)
                return read(response.text)

        return self.patiently(once, path or "/")

    def patiently(self, once: Callable[[], T], what: str) -> T:
        """Do something until it works, or patience ends; see `ask` for the errors."""
        retrying = Retrying(
            retry=retry_if_exception_type(Transient),
            stop=stop_after_attempt(self.patience.attempts),
            wait=self._wait,
            reraise=True,
        )
        try:
            return retrying(once)
        except Transient as error:
            kind = PeerUnreachable if error.unreachable else PeerError
            raise kind(
                f"{self.base}: {what}: {error.reason}, {self.patience.attempts} times; check the "
                "address and the network, or try again later: what has arrived is kept"
            ) from error

    @contextmanager
    def stream(
        self, path: str, params: Mapping[str, str], *, post: bool = False
    ) -> Iterator[httpx.Response]:
        """Open an answer to be read bit by bit.

        Raises
        ------
        Transient
            If it is worth another try.
        Refused
            If it is not.
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
        """Read an answer; one that stalls or breaks off is `Transient`."""
        parts = response.iter_bytes()
        since, arrived = time.monotonic(), 0
        while True:
            part = self._guard(lambda: next(parts, None))
            if part is None:
                return
            yield part
            arrived += len(part)
            now = time.monotonic()
            if now - since > self.patience.stall:
                if arrived < self.patience.stall_bytes:
                    raise Transient(f"only {arrived} bytes arrived in {now - since:.0f} s")
                since, arrived = now, 0

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status < _REDIRECTED:
            return
        if status in _AGAIN:
            raise Transient(f"HTTP status {status}", _retry_after(response))
        self._guard(response.read)
        said = " ".join(response.text.split())[:_SHOWN]
        page = said.startswith("<")
        raise Refused(f"HTTP status {status}{'' if page or not said else f': {said}'}", status)

    def _guard(self, do: Callable[[], T]) -> T:
        try:
            return do()
        except httpx.TimeoutException as error:
            raise Transient("no answer in time", unreachable=True) from error
        except httpx.ConnectError as error:
            raise Transient("no connection", unreachable=True) from error
        except (httpx.TransportError, httpx.DecodingError, httpx.TooManyRedirects) as error:
            raise Transient(f"the answer broke off ({type(error).__name__})") from error
        except httpx.InvalidURL as error:
            raise Refused(f"{self.base} is no address", 0) from error

    def _wait(self, state: RetryCallState) -> float:
        raised = state.outcome.exception() if state.outcome else None
        asked = raised.after if isinstance(raised, Transient) else 0.0
        own = wait_random_exponential(self.patience.first, self.patience.longest)(state)
        return max(own, min(asked, _LONGEST_WAIT))


def _retry_after(response: httpx.Response) -> float:
    """Read how long to wait, in seconds or as a date (RFC 9110 Section 10.2.3)."""
    value = response.headers.get("retry-after", "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
