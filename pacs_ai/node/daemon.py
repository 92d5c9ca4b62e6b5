"""The daemon: signals, order of start, and orderly stop. It listens, or only works."""

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from types import FrameType
from typing import Literal

from pacs_ai.clock import SteadyDate, pause
from pacs_ai.config import Config
from pacs_ai.domain import TaskKind
from pacs_ai.errors import StorageError
from pacs_ai.flow.arrivals import ASSOCIATION_ENDED
from pacs_ai.flow.audit import note
from pacs_ai.flow.audit.forward import Forwarder
from pacs_ai.flow.audit.seal import Sealer, prune
from pacs_ai.flow.commitment_scu import remind
from pacs_ai.flow.completion import Completion
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_rules import RulesWatch, begin_with, with_rules
from pacs_ai.flow.deliver import probe
from pacs_ai.flow.evidence.keep import expire_evidence
from pacs_ai.flow.expire import Expiry
from pacs_ai.flow.feedback.documents import FeedbackDocuments
from pacs_ai.flow.feedback.keep import forget_feedback
from pacs_ai.flow.node_misfits import BEAT_SECONDS
from pacs_ai.flow.notify.gather import begin as begin_notifying
from pacs_ai.flow.notify.sweep import Notifier
from pacs_ai.flow.notify.tell import forget
from pacs_ai.flow.one_node import on_one_node
from pacs_ai.flow.presence import Presence, join, leave
from pacs_ai.flow.priors.search import search_priors
from pacs_ai.flow.recover import LeaseWatch, restart, sweep, take_back_from, take_over
from pacs_ai.flow.replaced_runtimes import forget_replaced
from pacs_ai.flow.retain import expire_predictions, retain
from pacs_ai.flow.retrieve.pull import Puller
from pacs_ai.flow.storage_scp import StorageScp
from pacs_ai.flow.watch_drift import DriftWatch
from pacs_ai.logs import get_logger
from pacs_ai.net import open_connections
from pacs_ai.net.scp.server import DRAIN_SECONDS, StorageServer
from pacs_ai.node.app import App
from pacs_ai.node.child_process import CHECK_SECONDS
from pacs_ai.node.light_work import LightWork
from pacs_ai.node.receiver import storage_server
from pacs_ai.node.receiver_pool import ReceiverPool
from pacs_ai.node.schedule import Schedule
from pacs_ai.node.web_process import WebProcess
from pacs_ai.node.worker_pool import worker_pools
from pacs_ai.store.leases import Blame

_SUPERVISE_SECONDS = CHECK_SECONDS
_RECOVER_SECONDS = 2.0
_PROBE_SECONDS = 15.0
_REMIND_SECONDS = 60.0
_RETAIN_SECONDS = 60.0
_KEEP_TIMES: dict[str, Callable[[FlowContext, datetime], object]] = {
    "images": with_rules(on_one_node(retain)),
    "ledger": prune,
    "evidence": on_one_node(expire_evidence),
    "expired_feedback": on_one_node(forget_feedback),
    "predictions": on_one_node(expire_predictions),
    "notifications": on_one_node(forget),
}
"""What ends the keep time of each kind; see docs/operations.md."""
_PULL_SECONDS = 1.0
_TAKE_OVER_SECONDS = 5.0
_DRIFT_SECONDS = 10.0
_AUDIT_SECONDS = _RULES_SECONDS = _FEEDBACK_SECONDS = 2.0
_NOTIFY_SECONDS = 5.0

_STOP_SECONDS = DRAIN_SECONDS + 1.5
"""After the signal: what still runs then is cut off. Container runtimes kill after ten seconds."""

_LAST_SECONDS = 6.0
"""After the signal: the process ends in any case, whatever it waits for; rows are the truth."""

_LAST_WRITE_SECONDS = 1.0

_SIGNAL_SECONDS = 0.2
"""Time between two checks for a signal."""

_CUT_SECONDS = 0.1

_log = get_logger()


class Daemon:
    """The running node.

    Parameters
    ----------
    app
        The node, wired.
    listening
        Whether to receive instances.
    workers
        Number of worker processes, or ``auto``; 0 for a node that leaves all work to others.
    read
        Reads the configuration again, when SIGHUP asks for its rules; None for none.
    """

    def __init__(
        self,
        app: App,
        *,
        listening: bool,
        workers: int | Literal["auto"],
        read: Callable[[], Config] | None = None,
    ) -> None:
        self._app = app
        self._stop = threading.Event()
        self._reload = threading.Event()
        self._read = read or (lambda: app.context.config)
        self._rules = RulesWatch(app.context)
        self._schedule = Schedule(app.context.clock)
        self._light = LightWork(app, self._stop)
        self._sealer = Sealer(app.context, app.context.spool.node)
        self._forwarder = Forwarder(app.context)
        self._pools = worker_pools(app, workers)
        self._server = _listener(app) if listening else None
        self._presence = Presence(app.context, self._stop.set, listening=listening)
        self._web = WebProcess(app) if listening and app.context.config.web.enabled else None

    @property
    def port(self) -> int:
        """The port it listens on; 0 while the plain port is closed."""
        return 0 if self._server is None else self._server.port

    @property
    def tls_port(self) -> int:
        """The TLS port it listens on, if any."""
        return 0 if self._server is None else self._server.tls_port

    @property
    def web_port(self) -> int:
        """The port of the page; 0 if it is not served."""
        return 0 if self._web is None else self._web.port

    def start(self) -> None:
        """Recover from a crash, listen, then start the work; from the main thread only.

        Raises
        ------
        ConfigError
            If another daemon has the spool, a port is taken, or this node does not fit to others.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_hangup)
        context = self._app.context
        context.spool.lock()
        forget_replaced(context.spool)
        join(context, listening=self._server is not None)
        restart(context, self._app.arrivals)
        begin_notifying(context)
        note.started(context, context.spool.node)
        begin_with(context)
        if self._server is not None:
            self._app.traffic.begin()
            self._server.start()
        for pool in self._pools.values():
            pool.start()
        if self._pools:
            threading.Thread(
                target=context.engine.listen, args=(self._stop,), name="listen", daemon=True
            ).start()
            self._light.start()
        if self._web is not None:
            self._web.start()
        self._plan()
        self._schedule.start()

    def wait(self) -> None:
        """Return when SIGTERM or SIGINT has come."""
        # Not `Event.wait`: the signal handler would wait for the lock of the event in `set`, and
        # a signal just before a long wait would be seen only after it.
        while not self._stop.is_set():
            pause(_SIGNAL_SECONDS)
            if self._reload.is_set():
                self._reload.clear()
                self._rules.reload(self._read)

    def stop(self) -> None:
        """Finish running work, give leases back, leave the rest queued for the next start.

        All parts are told to end at the same time. What still runs `_STOP_SECONDS` later is killed.
        """
        deadline = time.monotonic() + _STOP_SECONDS
        context = self._app.context
        self._stop.set()
        context.stopping.set()
        self._schedule.close()
        pools = list(self._pools.values())
        children = [one for one in (*pools, self._receivers, self._web) if one is not None]
        for one in children:
            one.begin_stop()
        context.associations.close()
        context.engine.wakeups.wake(tuple(TaskKind))  # no thread waits any longer
        open_connections.cut_all()
        if isinstance(self._server, StorageServer):
            self._server.stop()
        self._join(deadline)
        if self._receivers is not None:
            self._receivers.stop(deadline)
        if self._web is not None:
            self._web.stop(deadline)
        owners = [context.owner, *(owner for pool in pools for owner in pool.stop(deadline))]
        try:
            take_back_from(context, owners, Blame.NOBODY, busy_seconds=_LAST_WRITE_SECONDS)
            leave(context, busy_seconds=_LAST_WRITE_SECONDS)
        except StorageError as error:
            _log.warning("leases are given back at the next start", error=error.code)
        note.stopped(context, context.spool.node, busy_seconds=_LAST_WRITE_SECONDS)
        context.spool.unlock()
        self._app.close()
        _log.info("stopped")

    def _join(self, deadline: float) -> None:
        """Wait for the threads, and cut every association that they still open."""
        while not self._schedule.join(time.monotonic()) or self._light.is_alive:
            if time.monotonic() >= deadline:
                _log.warning("not all that was at work has ended")
                return
            open_connections.cut_all()
            self._app.context.clock.sleep(_CUT_SECONDS)

    @property
    def _receivers(self) -> ReceiverPool | None:
        return self._server if isinstance(self._server, ReceiverPool) else None

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if not self._stop.is_set():
            last = threading.Timer(_LAST_SECONDS, os._exit, (0,))
            last.daemon = True
            last.start()
        self._stop.set()

    def _on_hangup(self, _number: int, _frame: FrameType | None) -> None:
        self._reload.set()

    def _plan(self) -> None:
        context = self._app.context
        sweeps: list[tuple[float, Callable[..., object], tuple[object, ...]]] = [
            (_RECOVER_SECONDS, with_rules(on_one_node(sweep)), (context, LeaseWatch())),
            (_PROBE_SECONDS, with_rules(probe), (context,)),
            (_REMIND_SECONDS, with_rules(on_one_node(remind)), (context,)),
            (_RULES_SECONDS, self._rules.look, ()),
            (_PULL_SECONDS, with_rules(on_one_node(search_priors)), (context,)),
        ]
        date, expiry = SteadyDate(context.clock), Expiry(context)
        self._schedule.every(_RETAIN_SECONDS, "expire", lambda: expiry.sweep(date.now()))
        for name, ends in _KEEP_TIMES.items():
            self._schedule.every(_RETAIN_SECONDS, name, partial(_end, ends, context, date))
        self._schedule.every(BEAT_SECONDS, "presence", self._presence.sweep)
        self._schedule.every(_AUDIT_SECONDS, "seal", self._sealer.sweep)
        self._schedule.every(_AUDIT_SECONDS, "forward", self._forwarder.sweep)
        self._schedule.every(_NOTIFY_SECONDS, "notify", Notifier(context).sweep)
        self._schedule.every(_FEEDBACK_SECONDS, "feedback", FeedbackDocuments(context).sweep)
        arrivals = self._app.arrivals
        closes = Completion(context, arrivals).sweep
        self._schedule.when_woken(arrivals.wakeups, ASSOCIATION_ENDED, "complete", closes)
        for seconds, function, arguments in sweeps:
            self._schedule.every(
                seconds, function.__name__.lstrip("_"), partial(function, *arguments)
            )
        if self._server is not None:
            self._schedule.every(
                _TAKE_OVER_SECONDS, "take_over", partial(take_over, context, self._presence.is_gone)
            )
            puller = Puller(context, StorageScp(context, arrivals, self._app.traffic))
            self._schedule.every(_PULL_SECONDS, "pull", puller.sweep)
        for name, pool in self._pools.items():
            self._schedule.every(_SUPERVISE_SECONDS, name, pool.supervise)
        if self._pools:
            self._schedule.every(_RULES_SECONDS, "light_work", self._light.start)
            bundles = self._app.bundles.values()
            references = {bundle.manifest_sha256: bundle.reference for bundle in bundles}
            self._schedule.every(_DRIFT_SECONDS, "drift", DriftWatch(context, references).sweep)
        if self._receivers is not None:
            self._schedule.every(_SUPERVISE_SECONDS, "receivers", self._receivers.supervise)
        if self._web is not None:
            self._schedule.every(_SUPERVISE_SECONDS, "web", self._web.supervise)


def _listener(app: App) -> StorageServer | ReceiverPool:
    """Return the listener: in this process, or in several others."""
    size = app.context.config.node.acceptors
    return storage_server(app, app.arrivals, app.traffic) if size == 1 else ReceiverPool(app, size)


def _end(
    ends: Callable[[FlowContext, datetime], object], context: FlowContext, date: SteadyDate
) -> None:
    ends(context, date.now())
