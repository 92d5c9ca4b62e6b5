"""The files of a node compared with their rows, when it starts.

A kill leaves files without a row, a broken disk or an old backup leaves rows without a file.

A node may have millions of files. The rows are read in the order of their paths, so that one folder
of the spool follows the other: only one folder and one batch of rows are in memory. If a database
orders paths otherwise, a folder is read more than once, and the result is the same.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pacs_ai.dicom.scan import ScannedInstance, scan_instance
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.receive import Origin, adopt
from pacs_ai.flow.remove import left_over, remove_files
from pacs_ai.logs import get_logger
from pacs_ai.store import instances, results
from pacs_ai.store.spool import SUFFIX

AT_ONCE = 10_000
"""So many rows are read by one query."""

_NAMED = 20
"""How many missing files the log names; it gives only the number of the others."""

_log = get_logger()


class FileCheck:
    """Compares the files of a node with their rows.

    Parameters
    ----------
    context
        The node.
    arrivals
        Gets to know what is adopted.
    """

    def __init__(self, context: FlowContext, arrivals: Arrivals) -> None:
        self._context = context
        self._arrivals = arrivals
        self._prefix = f"{context.spool.node}/"
        self._folder = ""
        self._without_row: set[str] = set()
        self._looked_into: set[str] = set()
        self._orphans = 0
        self._gone = 0

    def run(self) -> int:
        """Compare all of them; return how many files had no row.

        Files without a row are adopted, or put in quarantine if they are not whole, or removed as
        their study was since; results without a row are removed. Rows without a file are reported,
        and their instance is marked until the file is back.
        """
        for paths in self._known():
            self._report_gone([path for path in paths if not self._has(path)])
        if self._gone > _NAMED:
            _log.error("more stored files are gone", number=self._gone - _NAMED)
        for folder in self._folders("instances"):
            if folder not in self._looked_into:
                self._look_into(folder)
        self._look_into("")
        self._note_what_is_back()
        self._remove_stray_results()
        return self._orphans

    def _folders(self, kind: str) -> Sequence[str]:
        return [f"{self._prefix}{kind}/{number:02x}" for number in range(256)]

    def _known(self) -> Iterator[Sequence[str]]:
        """Yield the paths that instances and variants of this node have."""
        for read in (instances.paths, instances.variant_paths):
            last = self._prefix
            while True:
                with self._context.database.read() as session:
                    some = read(session, self._prefix, last, AT_ONCE)
                if not some:
                    break
                yield some
                last = some[-1]

    def _has(self, path: str) -> bool:
        """Tell whether a file is there; its folder is read when its first file is asked for."""
        folder, _, name = path.rpartition("/")
        if folder != self._folder:
            self._look_into(folder)
        if name in self._without_row:
            self._without_row.remove(name)
            return True
        return _is_there(self._context.spool.path_of(path))

    def _look_into(self, folder: str) -> None:
        """Go on to another folder; adopt what is left of the last one."""
        self._adopt_orphans()
        self._folder = folder
        self._without_row = self._context.spool.names_in(folder) if folder else set()
        self._looked_into.add(folder)

    def _adopt_orphans(self) -> None:
        if not self._folder.startswith(f"{self._prefix}instances/"):
            return
        names = sorted(name for name in self._without_row if name.endswith(SUFFIX))
        paths = [f"{self._folder}/{name}" for name in names]
        with self._context.database.read() as session:
            known = instances.known_of(session, paths)
        for path in paths:
            if path not in known:
                self._orphans += 1
                _adopt(self._context, self._arrivals, path)

    def _report_gone(self, paths: Sequence[str]) -> None:
        """Say which files are gone, and note it."""
        for path in paths[: max(0, _NAMED - self._gone)]:
            _log.error("a stored file is gone: restore it, or send its study again", file=path)
        self._gone += len(paths)
        if paths:
            with self._context.write() as transaction:
                instances.note_missing(transaction, paths, missing=True)

    def _note_what_is_back(self) -> None:
        """Note of files that were gone and are back that they are."""
        spool, last = self._context.spool, ""
        while True:
            with self._context.database.read() as session:
                some = instances.missing_paths(session, last, AT_ONCE)
            if not some:
                return
            last = some[-1]
            mine = [path for path in some if path.startswith(self._prefix)]
            back = [path for path in mine if _is_there(spool.path_of(path))]
            if back:
                with self._context.write() as transaction:
                    instances.note_missing(transaction, back, missing=False)

    def _remove_stray_results(self) -> None:
        """Remove results whose job did not live to enter them: it is done again."""
        spool = self._context.spool
        for folder in self._folders("results"):
            paths = [f"{folder}/{name}" for name in spool.names_in(folder)]
            with self._context.database.read() as session:
                known = results.known_of(session, paths)
            for path in paths:
                if path not in known:
                    spool.delete(path)


def _is_there(file: Path) -> bool:
    """Tell whether a file is there; one that cannot be looked at counts as there."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _adopt(context: FlowContext, arrivals: Arrivals, path: str) -> None:
    file = context.spool.path_of(path)
    try:
        scanned = scan_instance(file, hash_pixels=False)
    except NotDicom as error:
        _log.error("orphan file set aside", file=path, reason=error.message)
        context.spool.set_aside(path, "quarantine")
        return
    except StorageError as error:
        # one bad block must not keep the node down; the next start looks again
        _log.error("orphan file not readable", file=path, reason=error.message)
        return
    if left_over(context, path, scanned.study_instance_uid):
        _log.warning("file of a removed study removed", file=path)
        remove_files(context, [path])
        return
    adopt(context, arrivals, path, file.stat().st_size, scanned, _origin(scanned))


def _origin(scanned: ScannedInstance) -> Origin:
    """Return who sent an orphan, to which title: unknown where a version before this wrote it."""
    calling, called = scanned.titles if all(scanned.titles) else ("", "")
    return Origin(calling, called, association_id=None)
