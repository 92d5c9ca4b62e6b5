"""Withdrawn results are deleted where an archive knows no notes; what is gone is no fault."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from pacs_ai.config import Config, DicomwebPeer, DimsePeer
from pacs_ai.destinations.base import DeliveryAnswer, DeliveryOutcome, OutgoingFile
from pacs_ai.destinations.deletion import DeletingDestination
from pacs_ai.destinations.folder import FolderDestination

NAMED = {"2.25.9": [("1.2", "1.3", "1.4"), ("1.2", "1.3", "1.5")]}
NOTE = OutgoingFile(Path("note.dcm"), "2.25.9")
DIMSE = {"ae_title": "PACS", "host": "127.0.0.1", "port": 104}


@dataclass
class Server:
    """Answers with a status to each DELETE, and to a look-up as Orthanc does."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            one.asked.append(self.path)
            self._answer(one.statuses.pop(0) if one.statuses else 200, b"{}")

        def do_POST(self) -> None:
            uid = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found = [{"Type": "Instance", "Path": f"/instances/{uid}"}]
            self._answer(200, json.dumps(found).encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http = HTTPServer(("127.0.0.1", 0), Handler)
    one.url = f"http://127.0.0.1:{http.server_port}/archive"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield one
    http.shutdown()
    http.server_close()
    thread.join()


def obey(peer: DimsePeer | DicomwebPeer, *, may_leave: bool = True) -> DeliveryOutcome:
    config = Config(peers={"pacs": peer})
    inner = FolderDestination(Path("nowhere"))
    [outcome] = DeletingDestination(config, "pacs", inner, NAMED).deliver(
        [NOTE], lambda _: may_leave
    )
    return outcome


def by(kind: str, url: str) -> DimsePeer:
    delete = {"kind": kind, "url": url}
    return DimsePeer.model_validate({**DIMSE, "withdrawal": "delete", "delete": delete})


@pytest.mark.parametrize("gone", [200, 404])
def test_dicomweb_deletes_each_instance(server: Server, gone: int) -> None:
    server.statuses = [gone]
    outcome = obey(by("dicomweb", server.url))
    assert (outcome.answer, outcome.note) == (DeliveryAnswer.STORED, "2 instances deleted there")
    assert server.asked == [
        f"/archive/studies/1.2/series/1.3/instances/{one}" for one in ("1.4", "1.5")
    ]


def test_an_archive_of_dicomweb_needs_no_second_address(server: Server) -> None:
    peer = DicomwebPeer(kind="dicomweb", url=server.url, withdrawal="delete")
    assert obey(peer).answer is DeliveryAnswer.STORED


@pytest.mark.parametrize("gone", [200, 404])
def test_orthanc_deletes_what_it_finds(server: Server, gone: int) -> None:
    server.statuses = [gone]
    assert obey(by("orthanc", server.url)).answer is DeliveryAnswer.STORED
    assert server.asked == ["/archive/instances/1.4", "/archive/instances/1.5"]


@pytest.mark.parametrize("kind", ["dicomweb", "orthanc"])
@pytest.mark.parametrize(
    ("status", "answer"),
    [(503, DeliveryAnswer.NOT_NOW), (403, DeliveryAnswer.NOT_NOW), (405, DeliveryAnswer.REFUSED)],
)
def test_what_the_archive_refuses_is_tried_again_like_a_delivery(
    server: Server, kind: str, status: int, answer: DeliveryAnswer
) -> None:
    server.statuses = [status]
    assert obey(by(kind, server.url)).answer is answer


def test_an_archive_that_is_down_is_an_outcome() -> None:
    outcome = obey(by("orthanc", "http://127.0.0.1:9"))
    assert (outcome.answer, outcome.error and outcome.error.code) == (
        DeliveryAnswer.NOT_NOW,
        "PEER_UNREACHABLE",
    )


def test_a_note_that_may_not_leave_deletes_nothing(server: Server) -> None:
    outcome = obey(by("orthanc", server.url), may_leave=False)
    assert (outcome.answer, server.asked) == (DeliveryAnswer.WITHHELD, [])


def test_a_dicom_node_has_to_say_where_results_are_deleted() -> None:
    with pytest.raises(ValidationError, match="needs delete"):
        DimsePeer.model_validate({**DIMSE, "withdrawal": "delete"})
