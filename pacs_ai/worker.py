"""A worker process: loads the models, analyses, and ends with its parent.

How the daemon starts it, and why it never outlives the daemon: `pacs_ai.child`.
"""

import os
import sys
from collections.abc import Mapping

from pacs_ai import child
from pacs_ai.app import HEAVY_TASKS, App, build_app
from pacs_ai.domain import JobId, TaskKind
from pacs_ai.errors import PacsAIError
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.withdraw import withdraw
from pacs_ai.logs import get_logger
from pacs_ai.model.predict import Classifier
from pacs_ai.results.common.object_header import load_standard
from pacs_ai.results.documents.page_fonts import PageFonts

_log = get_logger()


class Analyst:
    """Does heavy tasks with models that are loaded once.

    Parameters
    ----------
    app
        The node.
    threads
        What one prediction may use.
    began_with
        Hashes of the manifests that the node began with, by the names of the models. A bundle
        that was replaced since does not run: nobody has looked at it, and other workers have the
        old one.
    """

    def __init__(self, app: App, threads: int, began_with: Mapping[str, str] | None = None) -> None:
        self._context = app.context
        PageFonts(app.context.config.results.font)  # a font that is none shows now, not at a study
        load_standard()
        self._classifiers: Mapping[str, Classifier] = {
            name: Classifier.load(bundle, threads) for name, bundle in app.bundles.items()
        }
        began_with = began_with or {}
        self._changed = {
            name
            for name, bundle in app.bundles.items()
            if began_with.get(name, bundle.manifest_sha256) != bundle.manifest_sha256
        }
        for name in self._changed:
            _log.error("bundle replaced while the node runs", model=name)

    def perform(self, kind: TaskKind, key: str) -> None:
        """Analyse one job, or withdraw what was made of one study."""
        if kind is TaskKind.WITHDRAW:
            withdraw(self._context, key)
            return
        analyse(self._context, self._classifiers, JobId(key), self._changed)


def main() -> int:
    """Read the order, load the models, analyse until told to stop."""
    order = child.begin()
    try:
        app = build_app(order.config, owner=order.owner)
        threads = max(1, (os.cpu_count() or 1) // int(order.more["of"]))
        analyst = Analyst(app, threads, order.more["bundles"])
    except PacsAIError as error:
        _log.error("worker cannot start", error=error.code, reason=error.message)
        return error.exit_code
    _log.debug("worker ready", owner=order.owner, models=sorted(app.bundles))
    app.context.engine.run(analyst.perform, HEAVY_TASKS, order.stop)
    app.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
