"""Where things are: the paths of PS3.18 Section 9.2."""

from pacs_ai.store.held import Held, find_held
from pacs_ai.store.session import Database

ROOT = "/dicom-web"


class InstanceLinks:
    """Gives the URL of instances that are held.

    Parameters
    ----------
    database
        Has their rows.
    base
        URL of the server.
    """

    def __init__(self, database: Database, base: str) -> None:
        self._database = database
        self._base = base.rstrip("/") + ROOT

    def of(self, sop_instance_uid: str) -> str:
        """Return the URL of an instance; "" if it is not held."""
        with self._database.read() as session:
            found = find_held(session, instance=sop_instance_uid)
        return instance_url(self._base, found[0]) if found else ""


def instance_url(base: str, held: Held) -> str:
    """Return the URL of an instance."""
    return f"{series_url(base, held)}/instances/{held.instance}"


def series_url(base: str, held: Held) -> str:
    """Return the URL of the series of an instance."""
    return f"{study_url(base, held.study)}/series/{held.series}"


def study_url(base: str, study: str) -> str:
    """Return the URL of a study."""
    return f"{base}/studies/{study}"
