"""How long it takes from the request for a task until another process begins it."""

import contextlib
import multiprocessing
import random
import threading
import time
from multiprocessing.connection import Connection

from pacs_ai.clock import SystemClock
from pacs_ai.domain import TaskKind
from pacs_ai.store.session import Database
from tests.bench.queues import KINDS, Queue, engine

PATIENCE = 30.0


def start_delays(queue: Queue, url: str, count: int) -> list[float]:
    """Return the milliseconds from the call that asks for a task to its begin, one at a time.

    One process asks, in a transaction that waits for the disk as that of a study does. In the other
    one, a thread listens and another performs, as in a node. Both read the same monotonic clock.
    """
    begun, tell = multiprocessing.get_context("fork").Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=_perform, args=(queue, url, tell), daemon=True
    )
    process.start()
    database, clock, delays = Database(url), SystemClock(), []
    asks = engine(queue, database)
    with contextlib.closing(database):
        for number in range(count + 1):
            time.sleep(random.uniform(0.02, 0.12))  # noqa: S311 - so that no poll favours anybody
            asked = time.monotonic()
            with database.write("bench", clock.now()) as transaction:
                asks.enqueue(transaction, TaskKind.ANALYSE, f"start {number}")
            if not begun.poll(PATIENCE):
                raise TimeoutError("no worker has begun the task")
            delays.append(1000 * (begun.recv() - asked))
    process.kill()
    process.join()
    return delays[1:]


def _perform(queue: Queue, url: str, tell: Connection) -> None:
    database, stop = Database(url), threading.Event()
    runs = engine(queue, database)
    threading.Thread(target=runs.listen, args=(stop,), daemon=True).start()
    runs.run(lambda _kind, _key: tell.send(time.monotonic()), KINDS, stop)
