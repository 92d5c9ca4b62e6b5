"""The threads of the daemon that do light tasks: routes, deliveries, questions about commitment."""

import threading
from collections import Counter

from pacs_ai.flow.current_rules import up_to_date
from pacs_ai.node.app import App, Share, light_work


class LightWork:
    """As many threads as the configuration in force asks for, or more.

    A reload may ask for more of them: those are started. If it asks for fewer, the others stay: a
    destination never gets more deliveries at a time than its ``concurrency`` says.

    Parameters
    ----------
    stop
        Ends them.
    """

    def __init__(self, app: App, stop: threading.Event) -> None:
        self._app = app
        self._stop = stop
        self._started: Counter[Share] = Counter()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads that are missing; harmless if none is.

        Raises
        ------
        StorageError
            If the configuration in force cannot be read.
        """
        wanted = Counter(light_work(up_to_date(self._app.context).config))
        for share in (wanted - self._started).elements():
            if self._stop.is_set():
                return
            thread = threading.Thread(target=self._work, args=(share,), daemon=True)
            thread.start()
            self._threads.append(thread)
            self._started[share] += 1

    @property
    def is_alive(self) -> bool:
        """Tell whether one of the threads has not ended."""
        return any(thread.is_alive() for thread in self._threads)

    def _work(self, share: Share) -> None:
        self._app.context.engine.run(
            self._app.perform, share.kinds, self._stop, urgent_only=share.urgent_only
        )
