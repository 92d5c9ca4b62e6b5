"""Which processes compute a model otherwise than the configuration says, and why.

Each process that analyses writes it into a file of its node's part of the spool. Where all is as it
should be, there is no file.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pacs_ai.errors import StorageError
from pacs_ai.files import PRIVATE, atomic_write, translated
from pacs_ai.flow.context import FlowContext
from pacs_ai.model.predict import Classifier
from pacs_ai.store.spool import Spool

_FOLDER = "runtimes"


@dataclass(frozen=True, slots=True)
class ReplacedRuntime:
    """A model that a process computes otherwise than the configuration says.

    Parameters
    ----------
    node, process
        Where.
    model
        Section of the configuration.
    computed_by
        What computes it: see `pacs_ai.model.network.ComputedBy`.
    instead_of, error
        What should, why it does not, and the code of that reason.
    since
        When the process has noted it.
    """

    node: str
    process: str
    model: str
    computed_by: str
    instead_of: str
    error: str
    since: datetime

    @property
    def where(self) -> str:
        """The model and the process that computes it."""
        return f"{self.model} in {self.process} of {self.node}"

    @property
    def text(self) -> str:
        """What computes it instead of what, and why."""
        return f"{self.error}: {self.computed_by} takes the place of {self.instead_of}"


def note_replaced(context: FlowContext, classifiers: Mapping[str, Classifier]) -> None:
    """Write down which of the models of this process are computed otherwise.

    A spool that is out of reach loses only this: the log has it as well.
    """
    found = {
        section: {"computed_by": by.with_batch, "instead_of": by.instead_of, "error": by.error}
        for section, one in dict(classifiers).items()
        if (by := one.computed_by).instead_of
    }
    process = context.owner.rpartition("/")[2]
    if not found:
        forget_replaced(context.spool, process)
        return
    with contextlib.suppress(StorageError):
        folder = context.spool.home / _FOLDER
        with translated(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{process}.json"
        atomic_write(path, json.dumps(found), durable=False, mode=PRIVATE)


def forget_replaced(spool: Spool, process: str = "*") -> None:
    """Remove what a process of this node has noted, because it has ended; by default of all."""
    for path in (spool.home / _FOLDER).glob(f"{process}.json"):
        with contextlib.suppress(OSError):
            path.unlink()


def replaced_runtimes(spool: Spool) -> Iterator[ReplacedRuntime]:
    """Return what the processes of all nodes at work have noted.

    Raises
    ------
    StorageError
        If the spool is out of reach.
    """
    for node in spool.nodes():
        if not spool.works(node):
            continue
        for path in sorted((spool.root / node / _FOLDER).glob("*.json")):
            with translated(path):
                try:
                    content = json.loads(path.read_text(encoding="utf-8"))
                    since = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                except FileNotFoundError:
                    continue  # its process has ended meanwhile
            for model, said in content.items():
                yield ReplacedRuntime(node, path.stem, model, **said, since=since)
