"""One HTTP connection, as uvicorn serves it, with a limit on the time that a request may take."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_HEADER_SECONDS = 10.0
"""For the request line and the headers to arrive, which are one packet in the normal case."""


class Connection(H11Protocol):
    """Ends where no whole request comes in time: others wait for the place."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as uvicorn calls it
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(transport)
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        """Read on; between two requests uvicorn has a limit of its own until data come."""
        super().data_received(data)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    def _expect_request(self) -> None:
        if self._deadline is None and self._waits():
            self._deadline = self.loop.call_later(_HEADER_SECONDS, self._expire)

    def _expire(self) -> None:
        self._deadline = None
        if self._waits():
            self.transport.close()

    def _waits(self) -> bool:
        """Whether no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete
