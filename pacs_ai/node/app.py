"""The whole node: the wired parts with the models, and what each process of it performs."""

from collections.abc import Mapping
from dataclasses import dataclass

from pacs_ai.clock import Clock
from pacs_ai.config import Config
from pacs_ai.domain import TaskKind
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.classifiers import load_bundles
from pacs_ai.flow.commitment_scu import commit
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_rules import up_to_date
from pacs_ai.flow.deliver import deliver
from pacs_ai.flow.route import route
from pacs_ai.flow.rule_check import check_rules
from pacs_ai.flow.traffic import TrafficMeter
from pacs_ai.flow.urgency import may_be_urgent
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.node.wiring import node_context

HEAVY_TASKS = (TaskKind.ANALYSE, TaskKind.WITHDRAW)
"""The kinds that worker processes do: decoders and networks may crash their process."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a thread or process performs: tasks of these kinds, or only the urgent ones."""

    kinds: tuple[TaskKind, ...]
    urgent_only: bool = False


WORKER = Share(HEAVY_TASKS)
"""What a worker process does."""

URGENT_WORKER = Share((TaskKind.ANALYSE,), urgent_only=True)
"""What the one does that is kept free for urgent studies."""


def light_work(config: Config) -> list[Share]:
    """Return what each thread of the daemon does.

    Each destination has threads of its own to wait in: one that hangs delays no other. If studies
    may be urgent, a thread is kept free for their routes: that of a large study takes seconds.
    """
    senders = max(1, sum(peer.concurrency for peer in config.peers.values()))
    asking = max(1, sum(peer.asks_commitment for peer in config.peers.values()))
    return [
        Share((TaskKind.ROUTE,)),
        *[Share((TaskKind.ROUTE,), urgent_only=True)] * may_be_urgent(config),
        *[Share((TaskKind.COMMIT,))] * asking,
        *[Share((TaskKind.DELIVER,))] * senders,
    ]


@dataclass(frozen=True, slots=True)
class App:
    """The whole node: what the daemon and its processes work with."""

    context: FlowContext
    bundles: Mapping[str, ModelBundle]
    arrivals: Arrivals
    traffic: TrafficMeter

    def perform(self, kind: TaskKind, key: str) -> None:
        """Do one light task, by the rules in force when it begins."""
        context = up_to_date(self.context)
        if kind is TaskKind.ROUTE:
            models = {name: bundle.identity for name, bundle in self.bundles.items()}
            route(context, models, key)
        elif kind is TaskKind.DELIVER:
            deliver(context, key)
        elif kind is TaskKind.COMMIT:
            commit(context, key)

    def close(self) -> None:
        """Close the connections to archives and to the database, and the counts."""
        self.traffic.close()
        self.context.associations.close()
        self.context.database.close()


def build_app(
    config: Config,
    *,
    clock: Clock | None = None,
    owner: str | None = None,
    child: bool = False,
) -> App:
    """Put the whole node together that a configuration describes.

    Parameters
    ----------
    clock, owner, child
        As for `pacs_ai.node.wiring.node_context`.

    Raises
    ------
    ConfigError
        If a rule, a model or the database does not fit, or the spool belongs to another database.
    """
    check_rules(config)
    bundles = load_bundles(config)
    context = node_context(config, clock=clock, owner=owner, child=child)
    return App(context, bundles, Arrivals(), TrafficMeter(context.spool, "daemon"))
