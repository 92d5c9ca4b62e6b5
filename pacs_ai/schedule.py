"""Sweeps at intervals. Nothing durable lives here: each looks at the rows and may run anywhere."""

from collections.abc import Callable

from apscheduler.schedulers.background import BackgroundScheduler

from pacs_ai.errors import PacsAIError
from pacs_ai.logs import get_logger

_log = get_logger()


class Schedule:
    """Calls functions again and again, each in one thread at a time."""

    def __init__(self) -> None:
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def every(self, seconds: float, name: str, sweep: Callable[[], object]) -> None:
        """Run `sweep` at this interval; one that fails is logged and comes again."""

        def guarded() -> None:
            try:
                sweep()
            except PacsAIError as error:
                _log.warning("sweep failed", sweep=name, error=error.code, reason=error.message)
            except Exception as error:  # noqa: BLE001 - one bad sweep must not end all later ones
                _log.error("sweep failed unexpectedly", sweep=name, error=type(error).__name__)

        self._scheduler.add_job(guarded, "interval", seconds=seconds, id=name)

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """End; a sweep at work is waited for."""
        self._scheduler.shutdown(wait=True)
