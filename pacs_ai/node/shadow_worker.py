"""The process that analyses in shadow: models that are not active, and no result is sent.

It has one thread for an analysis, which gives way to all other work on the machine.
"""

import gc
import os
import threading

from pacs_ai.domain import TaskKind
from pacs_ai.errors import PacsAIError
from pacs_ai.flow.classifiers import load_classifier
from pacs_ai.flow.replaced_runtimes import note_replaced
from pacs_ai.flow.shadow import analyse_in_shadow
from pacs_ai.logs import get_logger
from pacs_ai.memory import limit_malloc
from pacs_ai.node import child_process
from pacs_ai.node.app import build_app
from pacs_ai.node.priority import WEB_NICENESS, give_way, run_idle
from pacs_ai.node.process import run_to_end
from pacs_ai.node.wakeup_link import connect_daemon

_log = get_logger()


def main() -> int:
    """Load the models and analyse until the daemon says to stop."""
    child = child_process.set_up()
    limit_malloc()
    try:
        app = build_app(child.config, owner=child.owner, child=True)
        models = {
            section: load_classifier(child.config, app.bundles[section], threads=1)
            for section, entry in child.config.models.items()
            if entry.shadow
        }
    except PacsAIError as error:
        _log.error("worker cannot start", error=error.code, reason=error.message)
        return error.exit_code
    note_replaced(app.context, models)
    gc.collect()
    gc.freeze()
    give_way(WEB_NICENESS)
    connect_daemon(app.context.engine.wakeups, child.wakeups)

    def perform(_kind: TaskKind, key: str) -> None:
        limit = threading.Timer(child.config.engine.job_timeout_seconds, os._exit, (1,))
        limit.daemon = True
        limit.start()  # a decoder or a network may hang: the daemon starts another process
        try:
            analyse_in_shadow(app.context, models, key, child.stop, run_idle)
        finally:
            limit.cancel()

    app.context.engine.run(perform, (TaskKind.SHADOW,), child.stop)
    app.close()
    return 0


if __name__ == "__main__":
    run_to_end(main)
