"""Check a stored file before it is used: it must be there, whole, and what was stored.

A fault that is found here is one of the machine. It never removes an image from a study.
"""

from collections.abc import Iterable
from pathlib import Path

from pacs_ai.dicom.files import Content, dataset_content, file_content
from pacs_ai.errors import Corrupted, PacsAIError, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import get_logger
from pacs_ai.store import results
from pacs_ai.store.schema import Instance, Result
from pacs_ai.store.spool import Spool

_log = get_logger()


def check_instances(spool: Spool, rows: Iterable[Instance]) -> None:
    """Compare instances with what was stored, until the first fault.

    Raises
    ------
    StorageError
        If a file is missing, shorter than it was, or cannot be read.
    Corrupted
        If a file is as long as it was, and is not what was stored.
    """
    for row in rows:
        path = spool.path_of(row.path)
        content = dataset_content(path, row.digest)
        same = (content.transfer_syntax_uid, content.digest) == (
            row.transfer_syntax_uid,
            row.digest,
        )
        _judge(path, content, row.bytes, same=same)


def check_result(spool: Spool, path: str, size: int, digest: str) -> None:
    """Compare a result with what was stored; raises as `check_instances`.

    Parameters
    ----------
    size
        In bytes; 0 where the row does not know it.
    """
    file = spool.path_of(path)
    content = file_content(file, digest)
    _judge(file, content, size, same=content.digest == digest)


def stored_before(context: FlowContext, sop_instance_uid: str) -> Result | None:
    """Return the row of a result that was made before; None if its file has to be made again.

    Raises
    ------
    StorageError
        If the spool is out of reach.
    """
    with context.database.read() as session:
        known = results.find(session, sop_instance_uid)
    if known is None or not known.path:
        return None
    try:
        check_result(context.spool, known.path, known.bytes, known.digest)
    except (StorageError, Corrupted) as error:
        if is_outage(context.spool, error):
            raise
        _log.warning("result made anew: its file is lost", file=known.path, error=error.code)
        return None
    return known


def _judge(path: Path, content: Content, size: int, *, same: bool) -> None:
    if same:
        return
    if content.size < size:
        raise StorageError(f"{path} is cut off: {content.size} of {size} bytes are left")
    _log.error("a stored file is damaged", file=str(path))
    raise Corrupted(f"{path} is not what was stored: its checksum differs")


def is_outage(spool: Spool, error: PacsAIError) -> bool:
    """Tell whether other work has to wait too: not one file is gone, but the whole spool."""
    return error.outage or (isinstance(error, StorageError) and not spool.present())
