"""Metrics as Prometheus reads them, computed when it asks."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import pacs_ai
from pacs_ai.checks.tls import certificate_ends
from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.replaced_runtimes import replaced_runtimes
from pacs_ai.flow.traffic import Traffic, read_traffic
from pacs_ai.metrics import families
from pacs_ai.metrics.totals import OTHER, Totals
from pacs_ai.store import message_listing, observations, open_work
from pacs_ai.store.event_feed import last_change

_FOLLOW_SECONDS = 1.0
"""How long one request counts old changes, at most; the next one goes on."""

_KEEP_SECONDS = 60.0
"""Time between two writes of the totals; what is lost is counted again from the audit trail."""

_CERTIFICATE_SECONDS = 60.0
_GIGABYTE = 1e9


class Metrics(Collector):
    """The metrics of a node.

    Parameters
    ----------
    context
        The node; its spool is that of one node, not the root of several.
    """

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._known = frozenset((*context.config.models, *context.config.peers))
        self._file = context.spool.home / "totals.json"
        self._totals = Totals.kept(self._file)
        self._kept = context.clock.monotonic()
        self._ends: dict[str, datetime] = {}
        self._looked = float("-inf")
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics.

        Parameters
        ----------
        accept
            Header field ``Accept`` of the request, which chooses between the two text formats.

        Returns
        -------
        tuple
            The text and its media type.
        """
        encode, media_type = choose_encoder(accept)
        with self._lock:
            return encode(self._registry), media_type

    def describe(self) -> Iterator[Metric]:
        """Name no metric in advance: none is computed when this object is registered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Compute all metrics; what is out of reach now is left out."""
        traffic = Traffic()
        with contextlib.suppress(StorageError):
            traffic = read_traffic(self._context.spool)
        yield from families.of_listener(traffic)
        with contextlib.suppress(StorageError):
            yield from families.of_runtimes(list(replaced_runtimes(self._context.spool)))
        database, rows = True, list[Metric]()
        behind = 0
        try:
            behind, rows = self._read_rows()
        except StorageError:
            database = False
        yield from families.of_changes(self._totals, behind)
        yield from rows
        yield from families.of_machine(
            pacs_ai.__version__,
            database=database,
            free=self._free(),
            least=self._context.config.storage.min_free_gb * _GIGABYTE,
            ends=self._certificate_ends(),
        )

    def _read_rows(self) -> tuple[int, list[Metric]]:
        """Count the new changes; return how many are left, and the metrics of what is open."""
        clock, now = self._context.clock, self._context.now()
        end = clock.monotonic() + _FOLLOW_SECONDS
        with self._context.database.read() as session:
            more = True
            while more and clock.monotonic() < end:
                more = self._totals.follow(session, self._known, now)
            behind = last_change(session) - self._totals.position if more else 0
            rows = families.of_open_work(
                open_work.open_studies(session),
                open_work.open_jobs_by_hours(session),
                open_work.open_deliveries(session),
                self._known,
                now,
            )
            messages = families.of_notifications(
                message_listing.by_state(session), self._known, now
            )
            senders = families.of_senders(
                observations.streams(session), self._sender_of, self._context.config.models
            )
            found = [*rows, *messages, *senders]
        if clock.monotonic() - self._kept >= _KEEP_SECONDS:
            self._kept = clock.monotonic()
            with contextlib.suppress(StorageError):
                self._totals.keep(self._file)
        return behind, found

    def _sender_of(self, ae_title: str) -> str:
        """Return the label of a sender: the name of its peer, or its title if it is configured."""
        config = self._context.config
        for name, peer in config.dimse_peers.items():
            if peer.ae_title == ae_title:
                return name
        named = {caller.partition("@")[0] for caller in config.node.accept_from}
        return ae_title if ae_title in named else OTHER

    def _free(self) -> int | None:
        try:
            return self._context.spool.free_bytes()
        except StorageError:
            return None

    def _certificate_ends(self) -> dict[str, datetime]:
        now = self._context.clock.monotonic()
        if now - self._looked >= _CERTIFICATE_SECONDS:
            self._looked = now
            self._ends = certificate_ends(self._context.config)
        return self._ends
