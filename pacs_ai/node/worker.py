"""A worker process: loads the models, analyses, and ends with its parent.

`pacs_ai.node.child_process` says how the daemon starts it, and why it never outlives the daemon.
"""

import gc
import os
import threading
from collections.abc import Callable, Mapping

from pacs_ai.config import Config
from pacs_ai.domain import JobId, TaskKind
from pacs_ai.errors import PacsAIError
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.classifiers import load_classifier
from pacs_ai.flow.current_rules import up_to_date
from pacs_ai.flow.replaced_runtimes import note_replaced
from pacs_ai.flow.withdraw import withdraw
from pacs_ai.logs import get_logger
from pacs_ai.memory import limit_malloc
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.predict import Classifier
from pacs_ai.node import child_process
from pacs_ai.node.app import URGENT_WORKER, WORKER, App, build_app
from pacs_ai.node.priority import WORKER_NICENESS, give_way
from pacs_ai.node.process import run_to_end
from pacs_ai.node.shared_work import SharedWork
from pacs_ai.node.wakeup_link import connect_daemon
from pacs_ai.results.common.object_header import load_standard
from pacs_ai.results.documents.page_fonts import PageFonts
from pacs_ai.store import leases

_log = get_logger()


class Worker:
    """Does heavy tasks with models that are loaded once, in as many threads as call it.

    Parameters
    ----------
    app
        The node.
    classifiers
        The loaded models by the names of their sections.
    began_with
        Manifest hashes at the start of the node, by section. A bundle that was replaced since
        then does not run: nothing has checked it, and other workers still have the old one.
    """

    def __init__(
        self,
        app: App,
        classifiers: Mapping[str, Classifier],
        began_with: Mapping[str, str] | None = None,
    ) -> None:
        self._context = app.context
        self._classifiers = dict(classifiers)
        self._shared = SharedWork()
        began_with = began_with or {}
        self._changed = {
            name
            for name, bundle in app.bundles.items()
            if began_with.get(name, bundle.manifest_sha256) != bundle.manifest_sha256
        }
        for name in self._changed:
            _log.error("bundle replaced while the node runs", model=name)

    @property
    def studies(self) -> int:
        """How many studies this process analyses at a time: their images share batches."""
        return max((one.batch for one in self._classifiers.values()), default=1)

    def perform(self, kind: TaskKind, key: str) -> None:
        """Analyse one job, or withdraw what was made of one study.

        A job that a worker was lost with runs alone: if this process is lost as well, no other job
        is blamed.
        """
        context = up_to_date(self._context)
        if kind is TaskKind.WITHDRAW:
            with self._shared.joined():
                withdraw(context, key)
            return
        with context.database.read() as session:
            suspect = leases.lost_with(session, JobId(key))
        with self._shared.joined(alone=suspect):
            analyse(context, self._classifiers, JobId(key), self._changed)


def load_models(
    config: Config, bundles: Mapping[str, ModelBundle], threads: int
) -> dict[str, Classifier]:
    """Load all that a worker has in memory before its first study.

    Parameters
    ----------
    threads
        What one prediction may use.

    Raises
    ------
    BundleInvalid
        If a network does not load.
    ConfigError
        If the font of the configuration cannot be read.
    """
    PageFonts(config.results.font)
    load_standard()
    return {name: load_classifier(config, bundle, threads) for name, bundle in bundles.items()}


def main() -> int:
    """Load the models and analyse until the daemon says to stop."""
    return work(child_process.set_up())


def work(child: child_process.ChildContext, loaded: Mapping[str, Classifier] | None = None) -> int:
    """Analyse until the daemon says to stop.

    Parameters
    ----------
    child
        What the daemon says.
    loaded
        The models, if they are in memory already.

    Returns
    -------
    int
        The exit code of the process.
    """
    limit_malloc()
    try:
        app = build_app(child.config, owner=child.owner, child=True)
        threads = max(1, (os.cpu_count() or 1) // int(child.settings["of"]))
        models = loaded or load_models(child.config, app.bundles, threads)
        worker = Worker(app, models, child.settings["bundles"])
        note_replaced(app.context, models)
    except PacsAIError as error:
        _log.error("worker cannot start", error=error.code, reason=error.message)
        return error.exit_code
    gc.collect()
    gc.freeze()  # what was loaded stays until the end: no collection has to look at it again
    share = URGENT_WORKER if child.settings["urgent_only"] else WORKER
    if not share.urgent_only:  # the system lets an urgent job have the processor before the others
        give_way(WORKER_NICENESS)
    _log.debug("worker ready", owner=child.owner, models=sorted(app.bundles))
    connect_daemon(app.context.engine.wakeups, child.wakeups)
    engine, urgent = app.context.engine, share.urgent_only
    _in_threads(
        worker.studies,
        lambda: engine.run(worker.perform, share.kinds, child.stop, urgent_only=urgent),
    )
    app.close()
    return 0


def _in_threads(number: int, run: Callable[[], None]) -> None:
    """Call a function in so many threads, of which this is one, and wait for all."""
    others = [threading.Thread(target=run) for _ in range(number - 1)]
    for thread in others:
        thread.start()
    run()
    for thread in others:
        thread.join()


if __name__ == "__main__":
    run_to_end(main)
