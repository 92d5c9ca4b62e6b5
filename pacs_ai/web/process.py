"""The process that serves the page and the REST API; the daemon starts it.

`pacs_ai.node.web_process` is how the daemon sees it, and `pacs_ai.node.child_process` says why it
never outlives the daemon.
"""

import socket

from pacs_ai.errors import PacsAIError
from pacs_ai.logs import get_logger
from pacs_ai.memory import limit_malloc
from pacs_ai.node import child_process
from pacs_ai.node.arrival_reports import ArrivalReporter
from pacs_ai.node.priority import WEB_NICENESS, give_way
from pacs_ai.node.process import run_to_end
from pacs_ai.node.wakeup_link import connect_daemon
from pacs_ai.node.wiring import node_context
from pacs_ai.web.server import serve

_log = get_logger()


def main() -> int:
    """Serve until the daemon says to stop, or is gone."""
    child = child_process.set_up()
    give_way(WEB_NICENESS)
    limit_malloc()
    try:
        context = node_context(child.config, owner=child.owner, child=True)
        connect_daemon(context.engine.wakeups, child.wakeups)
        serve(context, socket.socket(fileno=child.settings["socket"]), ArrivalReporter())
    except PacsAIError as error:
        _log.error("page process cannot start", error=error.code, reason=error.message)
        return error.exit_code
    context.database.close()
    return 0


if __name__ == "__main__":
    run_to_end(main)
