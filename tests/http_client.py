"""Requests to the page without a server or a port, from any address."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
import httpx
from starlette.applications import Starlette


@dataclass
class HttpClient:
    """Somebody who asks; ``cookies`` are kept from one request to the next."""

    app: Starlette
    address: str = "127.0.0.1"
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    base: str = "http://127.0.0.1:8080"

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.request("GET", path, headers=headers)

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
        data: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Ask; a name of a header may have _ for -."""
        given = {
            name.replace("_", "-"): one.encode("latin-1") for name, one in (headers or {}).items()
        }

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(
                self.app, raise_app_exceptions=False, client=(self.address, 50000)
            )
            async with httpx.AsyncClient(
                transport=transport, base_url=self.base, headers=self.headers, cookies=self.cookies
            ) as client:
                answer = await client.request(
                    method, path, headers=given, json=json, content=content, data=data
                )
                self.cookies = client.cookies
                return answer

        return anyio.run(ask)
