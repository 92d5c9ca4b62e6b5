"""Reads the metrics of a node each second, as Prometheus does, or its page."""

import threading
import time
import tomllib
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.beside import beside

SECONDS = 1.0
START_SECONDS = 60.0


@contextmanager
def scraping(config: Path, paths: Sequence[str] = ("/metrics",)) -> Iterator[None]:
    """Read paths of a node for as long as a block runs; it begins when they are there.

    Parameters
    ----------
    config
        The configuration of the node, with the port of its page.
    """
    port = tomllib.loads(config.read_text("utf-8"))["web"]["port"]
    addresses = [f"http://127.0.0.1:{port}{path}" for path in paths]
    for address in addresses:
        _wait(address)

    def read(stop: threading.Event) -> None:
        while not stop.wait(SECONDS):
            for address in addresses:
                _read(address)

    with beside(read):
        yield


def _wait(address: str) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            _read(address)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


def _read(address: str) -> None:
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - our own
        assert b"pacs" in answer.read()
