"""A node that fetches studies from an archive, and the answers that such an archive can give."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from pydicom.data import get_testdata_file

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.pulls import PullRecord, list_pulls, pull_studies
from pacs_ai.flow.retrieve.pull import Puller
from pacs_ai.flow.storage_scp import StorageScp
from pacs_ai.flow.traffic import TrafficMeter
from pacs_ai.net.http.multipart import written
from pacs_ai.store.schema import Instance
from tests.web_peer import Answer, Respond

CT = Path(str(get_testdata_file("CT_small.dcm")))
STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
KIND = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
WHOLE = b"".join(written([("application/dicom", [CT.read_bytes()])], "b"))
GOOD = Answer(200, WHOLE, KIND)

NO_OTHERS: Mapping[str, object] = MappingProxyType({})


class Archive:
    """A node with one archive, or more, and what swept it."""

    def __init__(
        self,
        context: FlowContext,
        url: str = "",
        *,
        others: Mapping[str, object] = NO_OTHERS,
        **keys: object,
    ) -> None:
        section = {
            "kind": "dicomweb",
            "timeout_seconds": 2,
            **({"url": url} if url else {}),
            **keys,
        }
        config = {**context.config.model_dump(), "peers": {"archive": section, **others}}
        self.node = replace(context, config=Config.model_validate(config))
        meter = TrafficMeter(context.spool, "pull")
        meter.begin()
        self.puller = Puller(self.node, StorageScp(self.node, Arrivals(), meter))

    def ask(self, *uids: str, again: bool = False) -> None:
        pull_studies(self.node, "archive", uids, again=again)

    def sweep(self, seconds: float = 0) -> list[PullRecord]:
        """Let time pass, fetch what is due, and return all rows, the oldest first."""
        clock = self.node.clock
        assert isinstance(clock, ManualClock)
        clock.advance(seconds)
        self.puller.sweep()
        for thread in threading.enumerate():
            if thread.name == "pull archive":
                thread.join()
        return list_pulls(self.node)[::-1]

    def states(self) -> dict[str, str]:
        """Where each archive stands that one study was asked of."""
        return {one.peer: one.state for one in list_pulls(self.node)}

    def stored(self) -> int:
        with self.node.database.read() as session:
            return session.query(Instance).count()


def one_after_the_other(*answers: Answer) -> Respond:
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]
