"""Give database and spool a new common secret, and compute every keyed hash again.

Keyed hashes stand for patients and accession numbers in the database. With a new secret they have
to be computed again from the files. Without a file the hash is lost, and what it was used for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pacs_ai.dicom.scan import ScannedInstance, scan_instance
from pacs_ai.errors import ConfigError, NotDicom, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.receive import Origin, sender_of
from pacs_ai.logs import get_logger
from pacs_ai.store import keyed, pairing, priors
from pacs_ai.store.keyed import Subject
from pacs_ai.store.operator import ACTOR
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import record

_NOBODY = Origin(calling_aet="", called_aet="", association_id=None)

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """How many studies there are, and how many of them have no file that can be read."""

    studies: int
    lost: int

    @property
    def renewed(self) -> int:
        """Number of studies whose hashes fit the secret again."""
        return self.studies - self.lost


def check_stopped(context: FlowContext) -> None:
    """Refuse while a node works in the spool: it would go on with the old secret.

    Raises
    ------
    ConfigError
        Naming the node.
    """
    for folder in sorted(context.config.storage.spool.glob("*/lock")):
        node = folder.parent.name
        if context.spool.works(node):
            raise ConfigError(f"node {node} works in this spool: stop it first")


def problem(context: FlowContext) -> str:
    """Return what is wrong between database and spool; "" if they belong together."""
    with context.database.read() as session:
        known = pairing.known_by(session)
    return pairing.mismatch(known, context.config.storage.spool)


def preview(context: FlowContext) -> Rekeyed:
    """Return what `rekey` would do; changes nothing."""
    with context.database.read() as session:
        subjects = keyed.subjects(session)
    found = _stated(context, subjects)
    return _count(subjects, found)


def rekey(context: FlowContext, why: str) -> Rekeyed:
    """Make database and spool belong together, and compute all keyed hashes again.

    Parameters
    ----------
    why
        What was wrong between them, for the audit trail.

    Raises
    ------
    StorageError
        If the spool or the database cannot be written; then nothing has changed.
    """
    with context.database.read() as session:
        subjects = keyed.subjects(session)
    found = _stated(context, subjects)
    count = _count(subjects, found)
    with context.write(ACTOR) as transaction:
        own = replace(context, secret=pairing.pair_anew(transaction, context.spool.root))
        _renew(own, transaction, subjects, found)
        note = f"{why}; {count.renewed} studies rekeyed, {count.lost} without files"
        record(transaction, "database", "", "", "rekeyed", note=note)
    _log.error("database rekeyed", why=why, studies=count.studies, lost=count.lost)
    return count


def _stated(context: FlowContext, subjects: Sequence[Subject]) -> Mapping[int, ScannedInstance]:
    """Scan the first readable file of each subject; the key is its index in the list."""
    found: dict[int, ScannedInstance] = {}
    for number, subject in enumerate(subjects):
        for path in subject.paths:
            try:
                found[number] = scan_instance(context.spool.path_of(path), hash_pixels=False)
            except (NotDicom, StorageError):
                continue
            break
    return found


def _renew(
    context: FlowContext,
    transaction: Transaction,
    subjects: Sequence[Subject],
    found: Mapping[int, ScannedInstance],
) -> None:
    priors.forget_kinds(transaction)
    for number, subject in enumerate(subjects):
        scanned = found.get(number)
        stated = sender_of(context, scanned, _NOBODY) if scanned is not None else None
        keyed.renew(transaction, subject, stated)


def _count(subjects: Sequence[Subject], found: Mapping[int, ScannedInstance]) -> Rekeyed:
    studies = {subject.study_id for subject in subjects}
    kept = {subjects[number].study_id for number in found}
    return Rekeyed(len(studies), len(studies - kept))
