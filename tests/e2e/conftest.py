"""A node and an archive that know each other, as most tests here want them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.archive import Archive, archive, to_archive
from tests.integration.orthanc_server import OrthancServer
from tests.node import Node, node

Department = Callable[..., tuple[OrthancServer, Node]]


@pytest.fixture
def ports(free_port: Callable[[], int]) -> tuple[int, int]:
    """Ports of the node and of the archive."""
    return free_port(), free_port()


@pytest.fixture
def peer(ports: tuple[int, int]) -> Iterator[Archive]:
    """A running archive."""
    with archive(ports[1], ports[0]) as one:
        yield one


@pytest.fixture
def rule() -> str:
    """Further lines of the node's rule."""
    return ""


@pytest.fixture
def running(tmp_path: Path, ports: tuple[int, int], rule: str) -> Iterator[Node]:
    """A running node that sends its results to the archive, whether that runs or not."""
    extra = to_archive(ports[1], peer="retry_max_seconds = 2", rule=rule)
    with node(tmp_path / "node", ports[0], extra=extra) as one:
        one.start()
        yield one


@pytest.fixture
def orthanc(
    tool: Callable[[str], Path], free_port: Callable[[], int], tmp_path: Path
) -> Callable[..., OrthancServer]:
    """``orthanc(node_port, route=False)`` makes an archive of Debian's Orthanc; enter it."""

    def make(node_port: int, **options: bool) -> OrthancServer:
        ports = free_port(), free_port()
        return OrthancServer(tool("Orthanc"), tmp_path / "orthanc", *ports, node_port, **options)

    return make


@pytest.fixture
def department(
    orthanc: Callable[..., OrthancServer], free_port: Callable[[], int], tmp_path: Path
) -> Iterator[Department]:
    """``department(extra, route=False)`` starts Orthanc and a node that know each other.

    ``extra`` makes the node's configuration of the archive's port.
    """
    with ExitStack() as stack:

        def start(extra: Callable[[int], str], **options: bool) -> tuple[OrthancServer, Node]:
            port = free_port()
            archive = stack.enter_context(orthanc(port, **options))
            more = extra(archive.dicom_port)
            one = stack.enter_context(node(tmp_path / "node", port, extra=more))
            one.start()
            return archive, one

        yield start
