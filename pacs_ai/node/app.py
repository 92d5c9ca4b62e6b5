"""The only place where the parts of the node are put together."""

import os
import re
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from pacs_ai.clock import Clock, SystemClock
from pacs_ai.config import Config
from pacs_ai.domain import TaskKind
from pacs_ai.engine.local import LocalEngine
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.commitment_scu import commit
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.deliver import deliver
from pacs_ai.flow.route import route
from pacs_ai.flow.rulecheck import check_rules
from pacs_ai.flow.traffic import TrafficMeter
from pacs_ai.logs import use_secret
from pacs_ai.model.bundle import ModelBundle, load_bundle
from pacs_ai.store.pairing import pair
from pacs_ai.store.prepare import prepare
from pacs_ai.store.session import Database
from pacs_ai.store.spool import Spool

LIGHT_TASKS = (
    (TaskKind.ROUTE,),
    (TaskKind.DELIVER,),
    (TaskKind.DELIVER,),
    (TaskKind.DELIVER,),
    (TaskKind.COMMIT,),
)
"""Done by threads of the daemon, so many of each: a peer that hangs keeps one of them busy."""

HEAVY_TASKS = (TaskKind.ANALYSE, TaskKind.WITHDRAW)
"""Done by worker processes: decoders and networks may take a process down with them."""


@dataclass(frozen=True, slots=True)
class App:
    """The node, wired: what commands and daemons work with."""

    context: FlowContext
    bundles: Mapping[str, ModelBundle]
    arrivals: Arrivals
    traffic: TrafficMeter

    def perform(self, kind: TaskKind, key: str) -> None:
        """Do one light task."""
        if kind is TaskKind.ROUTE:
            models = {name: bundle.identity for name, bundle in self.bundles.items()}
            route(self.context, models, key)
        elif kind is TaskKind.DELIVER:
            deliver(self.context, key)
        elif kind is TaskKind.COMMIT:
            commit(self.context, key)

    def close(self) -> None:
        """Give the database's connections back."""
        self.context.database.close()


def build_app(config: Config, *, clock: Clock | None = None, owner: str | None = None) -> App:
    """Wire the node that a configuration describes.

    Parameters
    ----------
    clock
        Another clock than the system's, for tests.
    owner
        Who acts, ``node/boot/process``; made up from host and process if not given.

    Raises
    ------
    ConfigError
        If a rule, a model or the database does not fit, or the spool is that of another database.
    """
    clock = clock or SystemClock()
    owner = owner or f"{node_name()}/{uuid.uuid4().hex[:8]}/{os.getpid()}"
    check_rules(config)
    bundles = {
        name: load_bundle(entry.bundle, entry.sha256) for name, entry in config.models.items()
    }
    spool = Spool(
        config.storage.spool,
        owner.split("/", 1)[0],
        durable=config.storage.durability == "full",
    )
    database = Database(config.storage.database)
    prepare(database)
    secret = pair(database, config.storage.spool)
    use_secret(secret)
    spool.open()
    engine = LocalEngine(database, clock, owner, config.engine.lease_seconds)
    context = FlowContext(config, database, spool, engine, clock, owner, secret)
    return App(context, bundles, Arrivals(), TrafficMeter())


def node_name() -> str:
    """Return this machine's name as it appears in folders and leases."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()).strip(".")
    return name[:64] or "node"
