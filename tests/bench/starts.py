"""How long it takes from the request for a task until another process begins it."""

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import psycopg

from pacs_ai.clock import SystemClock
from pacs_ai.domain import TaskKind
from pacs_ai.store.session import Database
from tests.bench.queues import KINDS, Queue, engine

PATIENCE = 30.0


def start_delays(queue: Queue, url: str, count: int) -> list[float]:
    """Return the milliseconds from the call that asks for a task to its begin, one at a time.

    In the process that begins it, a thread listens and another performs, as in a node.
    """
    database, clock = Database(url), SystemClock()
    asks = engine(queue, database)

    def ask(number: int) -> None:
        with database.write("bench", clock.now()) as transaction:
            asks.enqueue(transaction, TaskKind.ANALYSE, f"start {number}")

    def perform(tell: Connection) -> None:
        there, stop = Database(url), threading.Event()
        runs = engine(queue, there)
        threading.Thread(target=runs.listen, args=(stop,), daemon=True).start()
        tell.send(time.monotonic())
        runs.run(lambda _kind, _key: tell.send(time.monotonic()), KINDS, stop)

    with contextlib.closing(database):
        return _delays(ask, perform, count)


def bare_delays(url: str, count: int) -> list[float]:
    """Return the same of a notification alone: no less is possible with PostgreSQL."""
    plain = url.replace("+psycopg", "")

    def perform(tell: Connection) -> None:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("LISTEN bench")
            tell.send(time.monotonic())
            for _ in connection.notifies():
                tell.send(time.monotonic())

    def ask(_number: int) -> None:
        with asking.transaction():
            asking.execute("SELECT pg_notify('bench', '')")

    with psycopg.connect(plain) as asking:
        return _delays(ask, perform, count)


def _delays(
    ask: Callable[[int], None], perform: Callable[[Connection], None], count: int
) -> list[float]:
    """Ask so often, in this process; another one tells that it is ready, then when each began.

    Both read the same monotonic clock.
    """
    forks = multiprocessing.get_context("fork")
    begun, tell = forks.Pipe(duplex=False)
    process = forks.Process(target=perform, args=(tell,), daemon=True)
    process.start()
    delays: list[float] = []
    pauses = np.random.default_rng()
    begun.recv()
    for number in range(count + 1):
        time.sleep(pauses.uniform(0.02, 0.12))  # so that no poll favours anybody
        asked = time.monotonic()
        ask(number)
        if not begun.poll(PATIENCE):
            raise TimeoutError("no worker has begun the task")
        delays.append(1000 * (begun.recv() - asked))
    process.kill()
    process.join()
    return delays[1:]
