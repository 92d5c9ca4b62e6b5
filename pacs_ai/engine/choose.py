"""The task table that the configuration names."""

from typing import Literal

from pacs_ai.engine.task_table import TaskTable
from pacs_ai.errors import ConfigError

EngineKind = Literal["local", "procrastinate"]


def task_table(kind: EngineKind) -> TaskTable:
    """Return the table of ``[engine] kind``.

    Raises
    ------
    ConfigError
        If the package that it needs is not installed.
    """
    if kind == "local":
        from pacs_ai.store import tasks  # noqa: PLC0415 - one of both is loaded

        return tasks
    try:
        from pacs_ai.store import procrastinate_jobs  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"engine.kind: the package {error.name} is not installed; a cluster needs it: "
            "pip install 'pacs-ai[cluster]'"
        ) from None
    return procrastinate_jobs
