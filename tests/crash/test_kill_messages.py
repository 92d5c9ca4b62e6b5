"""SIGKILL while others are told: each of them hears of a result, and knows a second try.

The node dies once at the point given and is started again. A webhook gets the message, a
receiver of HL7 the result, and an archive the report by STOW-RS: the same bytes at every try.
"""

import importlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path

import pytest
from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

from tests.crash.killing import HOOK, gone, marked, restarted_if_dead, send_until_taken
from tests.node import node
from tests.web_peer import Answer, web_peer

POINTS = [
    "pacs_ai.flow.notify.tell:send_message:before",
    "pacs_ai.flow.notify.tell:send_message:after",
    "pacs_ai.store.notifications:add:after",
    "pacs_ai.store.notifications:begin:after",
    "pacs_ai.store.notifications:claim:after",
    "pacs_ai.store.notifications:sent:after",
    "pacs_ai.net.http.dicomweb:DicomwebPeerClient.store:before",
    "pacs_ai.net.http.dicomweb:DicomwebPeerClient.store:after",
    "pacs_ai.destinations.mllp:MllpConnection.send:before",
    "pacs_ai.destinations.mllp:MllpConnection.send:after",
    "pacs_ai.destinations.mllp:MllpConnection.acknowledgement:after",
]
MAIN_POINTS = {"pacs_ai.flow.notify.tell:send_message:after"}

EXTRA = """
[peers.hook]
kind = "webhook"
url = "{url}"
[peers.ris]
kind = "mllp"
host = "127.0.0.1"
port = {port}
retry_max_seconds = 2
[peers.web]
kind = "dicomweb"
url = "{url}/dicom-web"
retry_max_seconds = 2
[[rules]]
name = "all"
model = "demo"
send_to = ["ris", "web"]
results = ["report", "hl7"]
[[notifications]]
name = "desk"
on = ["positive"]
above = 0.0
to = ["hook"]
every_seconds = 1
"""

pytestmark = pytest.mark.crash


@contextmanager
def hl7_receiver() -> Iterator[tuple[int, list[str]]]:
    """A receiver that is not ours; gives its port and the control ids of what has arrived."""
    arrived: list[str] = []

    class Handler(AbstractHandler):  # type: ignore[misc] # it has no types
        def reply(self) -> str:
            message = parse_message(self.incoming_message)
            arrived.append(message.msh.msh_10.value)
            answer = Message("ACK", version="2.5.1")
            answer.msh.msh_9 = "ACK"
            answer.msa.msa_1 = "AA"
            answer.msa.msa_2 = message.msh.msh_10.value
            return str(answer.to_mllp())

    server = MLLPServer("127.0.0.1", 0, {"ORU^R01^ORU_R01": (Handler,)})
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_address[1], arrived
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("point", POINTS)
def test_every_point_is_there(point: str) -> None:
    module, path, _ = point.split(":")
    assert callable(attrgetter(path)(importlib.import_module(module)))


@pytest.mark.parametrize(
    "point",
    marked(POINTS, MAIN_POINTS, pytest.mark.thorough),
)
def test_killed_once_and_all_are_told(
    point: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    flag = tmp_path / "died"
    environment = {"PYTHONPATH": f"{HOOK}", "PACS_AI_TEST_KILL": f"{point}:{flag}"}
    with hl7_receiver() as (port, arrived), web_peer(lambda _: Answer(204)) as hook:
        extra = EXTRA.format(url=hook.url, port=port)
        with node(tmp_path / "node", free_port(), extra=extra, **environment) as one:
            one.start()
            send_until_taken(one)
            one.wait_for(lambda: restarted_if_dead(one) and flag.exists())
            one.wait_for(lambda: gone(one, flag))
            one.wait_for(
                lambda: (
                    restarted_if_dead(one)
                    and one.query("SELECT state FROM message") == [("SENT",)]
                    and one.states("delivery") == ["STORED"] * 2
                )
            )
            told = [json.loads(asked.body) for asked in hook.asked if asked.path == "/"]
            stored = {asked.body for asked in hook.asked if asked.path == "/dicom-web/studies"}
            assert len(stored) == 1
            assert len({message["id"] for message in told}) == 1
            assert {message["total"] for message in told} == {1}
            assert len(set(arrived)) == 1
            assert one.stop() == 0
