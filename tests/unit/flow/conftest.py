"""A node without network and models: real database, real spool, a clock that tests move."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config
from pacs_ai.config.sections import Storage
from pacs_ai.engine.local import LocalEngine
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.receive import receive
from pacs_ai.net.scp.handlers import AssociationInfo, ReceivedInstance, StoreAnswer
from pacs_ai.store.prepare import prepare
from pacs_ai.store.session import Database
from pacs_ai.store.spool import Spool

OWNER = "node/boot/1"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def make_context(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[..., FlowContext]]:
    databases: list[Database] = []

    def make(**storage: object) -> FlowContext:
        database = Database(f"sqlite:///{tmp_path}/pacs-ai.db")
        databases.append(database)
        prepare(database)
        spool = Spool(tmp_path / "spool", "node")
        spool.open()
        config = Config(storage=Storage(min_free_gb=0, **storage))  # type: ignore[arg-type]
        engine = LocalEngine(database, clock, OWNER, 60)
        return FlowContext(config, database, spool, engine, clock, OWNER, b"secret")

    yield make
    for database in databases:
        database.close()


@pytest.fixture
def context(make_context: Callable[..., FlowContext]) -> FlowContext:
    return make_context()


@pytest.fixture
def ct() -> Dataset:
    """One CT slice, its identity the caller's to change."""
    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    return pydicom.dcmread(path)


@pytest.fixture
def send(context: FlowContext) -> Callable[..., StoreAnswer]:
    """Hand a data set to the receive step as the listener would."""
    arrivals = Arrivals()

    def send(
        dataset: Dataset, association: str = "a", arrivals: Arrivals = arrivals, **command: str
    ) -> StoreAnswer:
        return arrive(context, arrivals, dataset, association, **command)

    return send


def arrive(
    context: FlowContext,
    arrivals: Arrivals,
    dataset: Dataset,
    association: str,
    cut: int = 0,
    **command: str,
) -> StoreAnswer:
    received = received_of(context, dataset, association, cut, **command)
    return receive(context, arrivals, received)


def received_of(
    context: FlowContext, dataset: Dataset, association: str = "a", cut: int = 0, **command: str
) -> ReceivedInstance:
    """What the listener hands over when a data set has arrived."""
    incoming = context.spool.new_incoming()
    with os.fdopen(os.dup(incoming.fd), "wb") as file:
        dcmwrite(file, dataset)
        file.truncate(file.tell() - cut)
    return ReceivedInstance(
        association=AssociationInfo(association, "MODALITY", "AI_NODE", "127.0.0.1", 0.0),
        file=incoming,
        sop_class_uid=command.get("sop_class_uid", str(dataset.get("SOPClassUID", ""))),
        sop_instance_uid=command.get("sop_instance_uid", str(dataset.get("SOPInstanceUID", ""))),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        bytes=incoming.path.stat().st_size,
    )
