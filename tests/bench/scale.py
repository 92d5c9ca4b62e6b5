"""How the work of many nodes grows with their number, on PostgreSQL.

Usage: ``python -m tests.bench.scale [claims] [studies] [starts] [depth] [instances] [--write]``;
without a name, all parts.

- ``claims``: tasks claimed and finished a second, by processes that do nothing else
- ``studies``: studies analysed an hour, where the analysis is a wait
- ``starts``: from the request for a task to its begin in another process
- ``depth``: claims from a queue with many tasks, beside an empty one
- ``instances``: statements on large tables, and the removal of old studies beside a writer

Everything, PostgreSQL too, shares this machine: the ratios of one run count.
"""

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pacs_ai.store.session import Database
from tests.bench import deep_queue, large_tables, report, simulated
from tests.bench.many_workers import done_by
from tests.bench.queues import CLUSTER, LOCAL, QUEUES, Queue
from tests.bench.starts import bare_delays, start_delays
from tests.conftest import require
from tests.ports import free_port
from tests.postgres import running_postgres

WORKERS = (1, 2, 4, 8, 16)
BARE_NOTIFY = "no task: a notification alone"


class Server:
    """A server with a database for each queue, made when it is first asked for."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: set[str] = set()

    def database(self, queue: Queue, what: str = "") -> str:
        """Return the URL of a queue's database; ``what`` names another one of the same queue."""
        name = f"queue_{QUEUES.index(queue)}{what}"
        url = self._url.rpartition("/")[0] + f"/{name}"
        if name not in self._made:
            with contextlib.closing(Database(self._url)) as database:
                one = database.engine.execution_options(isolation_level="AUTOCOMMIT")
                with one.connect() as connection:
                    connection.exec_driver_sql(f"CREATE DATABASE {name}")
            with contextlib.closing(Database(url)) as database:
                queue.prepare(database)
            self._made.add(name)
        return url


def claims(server: Server, options: argparse.Namespace) -> str:
    """Measure by turns; returns the table."""
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(options.rounds):
        for workers in WORKERS:
            for queue in QUEUES:
                rate = _rate(server.database(queue), queue, workers, options.seconds)
                rates.setdefault((queue.name, workers), []).append(rate)
                say(f"{queue.name}, {workers} workers: {rate:.0f}/s")
    middle = {key: statistics.median(of) for key, of in rates.items()}
    rows = [
        "| workers | "
        + " | ".join(f"{queue.name}, per s" for queue in QUEUES)
        + f" | {CLUSTER.name}: beside Procrastinate | {LOCAL.name}: beside the bare table |",
        "|---|" + "---|" * (len(QUEUES) + 2),
    ]
    for workers in WORKERS:
        found = [middle[queue.name, workers] for queue in QUEUES]
        local, cluster, alone, bare = found
        rows.append(
            f"| {workers} | "
            + " | ".join(f"{one:.0f}" for one in found)
            + f" | {cluster / alone:.2f} x | {local / bare:.2f} x |"
        )
    return "\n".join(rows)


def _rate(url: str, queue: Queue, workers: int, seconds: float) -> float:
    with contextlib.closing(Database(url)) as database:
        queue.fill(database, int(queue.count * (seconds + 0.5)))
    return done_by(workers, lambda ready: queue.work(url, seconds, ready)) / seconds


def studies(server: Server, options: argparse.Namespace) -> str:
    """Measure by turns; returns the table."""
    both: dict[tuple[str, int], float] = {}
    for workers in simulated.WORKERS:
        for queue in (LOCAL, CLUSTER):
            url = server.database(queue)
            rate = simulated.studies_a_second(queue, url, workers, options.study_seconds)
            both[queue.name, workers] = rate
            say(f"{queue.name}, {workers} workers: {3600 * rate:.0f} studies/h")
    rows = [
        "| workers | linear, studies/h | "
        + " | ".join(f"{queue.name}, studies/h | of linear" for queue in (LOCAL, CLUSTER))
        + " |",
        "|---|---|---|---|---|---|",
    ]
    for workers in simulated.WORKERS:
        linear = workers / simulated.WAIT_SECONDS
        found = [both[queue.name, workers] for queue in (LOCAL, CLUSTER)]
        cells = " | ".join(f"{3600 * one:,.0f} | {100 * one / linear:.0f}%" for one in found)
        rows.append(f"| {workers} | {3600 * linear:,.0f} | {cells} |")
    return "\n".join(rows)


def starts(server: Server, options: argparse.Namespace) -> str:
    """Measure one engine after the other; returns the table."""
    rows = ["| queue | n | p50 ms | p95 ms | p99 ms | goal |", "|---|---|---|---|---|---|"]
    for queue in (None, LOCAL, CLUSTER):
        if queue is None:
            found = bare_delays(server.database(LOCAL), options.starts)
        else:
            url = server.database(queue)
            with contextlib.closing(Database(url)) as database:
                queue.fill(database, 0)
            found = start_delays(queue, url, options.starts)
        cells = " | ".join(f"{one:.1f}" for one in np.percentile(found, [50, 95, 99]))
        name, goal = (queue.name, "p50 <= 20") if queue else (BARE_NOTIFY, "")
        rows.append(f"| {name} | {len(found)} | {cells} | {goal} |")
        say(rows[-1])
    return "\n".join(rows)


def depth(server: Server, options: argparse.Namespace) -> str:
    """Measure both tables by turns with empty ones; returns the table."""
    rows = [
        "| claim of | queue | empty, ms | p95 | deep, ms | p95 | ratio | goal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for queue in (LOCAL, CLUSTER):
        flat = Database(server.database(queue))
        deep = Database(server.database(queue, "_deep"))
        with contextlib.closing(flat), contextlib.closing(deep):
            deep_queue.fill_flat(queue, flat, options.claims)
            deep_queue.fill_deep(queue, deep, options.waiting, options.finished)
            measured = deep_queue.claims(queue, flat, deep, options.claims)
            for name, (one, two) in measured.items():
                figures = (one.median, one.high, two.median, two.high, two.median / one.median)
                cells = " | ".join(f"{figure:.2f}" for figure in figures)
                rows.append(f"| {name} | {queue.name} | {cells} x | <= 1.2 x |")
                say(rows[-1])
    return "\n".join(rows)


def large(server: Server, options: argparse.Namespace) -> str:
    """Look at each statement on large tables, then remove from them; returns both tables."""
    site = Database(server.database(LOCAL, "_site"))
    twin = Database(server.database(LOCAL, "_twin"))
    with contextlib.closing(site), contextlib.closing(twin):
        begin = time.monotonic()
        large_tables.fill(site, options.instances)
        large_tables.fill(twin, min(options.instances, options.twin))
        say(f"filled in {time.monotonic() - begin:.0f} s")
        found = large_tables.plans(site)
        say(found)
        removed = large_tables.removal(site, twin, options.removal_seconds, options.rounds)
    return f"{found}\n\n{removed}"


PARTS: dict[str, Callable[[Server, argparse.Namespace], str]] = {
    "claims": claims,
    "studies": studies,
    "starts": starts,
    "depth": depth,
    "instances": large,
}


def main() -> None:
    """Measure, print, and with ``--write`` put it into the page."""
    options = _options()
    for part in options.parts or PARTS:
        with _server() as server:
            table = PARTS[part](server, options)
        text = f"On {report.machine()}, shared with other programs.\n\n{table}"
        say(f"\n{text}\n")
        if options.write:
            report.write(f"scale: {part}", text)


@contextlib.contextmanager
def _server() -> Iterator[Server]:
    with running_postgres(require, free_port()) as url:
        yield Server(url)


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How work grows with the number of nodes.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--study-seconds", type=float, default=10.0)
    parser.add_argument("--starts", type=int, default=300)
    parser.add_argument("--claims", type=int, default=300)
    parser.add_argument("--waiting", type=int, default=100_000)
    parser.add_argument("--finished", type=int, default=1_000_000)
    parser.add_argument("--instances", type=int, default=10_000_000)
    parser.add_argument("--twin", type=int, default=1_000_000)
    parser.add_argument("--removal-seconds", type=float, default=5.0)
    parser.add_argument("--write", action="store_true")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
