"""Storage commitment as SCU: the archive is asked whether it keeps what it was sent.

Only for peers with ``commitment = true``. A DICOM node is asked by PS3.4 Annex J: its report may
come on the same association or on a later one, to any node that shares the database, and its
Transaction UID says which deliveries it is about. An archive that is spoken to by DICOMweb is
searched (QIDO-RS): it has what it lists.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from pacs_ai.config import DicomwebPeer, DimsePeer, Peer
from pacs_ai.destinations.addresses import address
from pacs_ai.domain import DeliveryState, JobId, TaskKind
from pacs_ai.errors import ConfigError, PeerError, StorageError
from pacs_ai.flow.ask import ask_delivery
from pacs_ai.flow.context import FlowContext, pair_key, split_pair
from pacs_ai.logs import get_logger
from pacs_ai.net.commitment_dataset import CommitmentReport
from pacs_ai.net.scu import client
from pacs_ai.store import commitments
from pacs_ai.store.schema import Delivery, Result
from pacs_ai.uids import random_uid

REPORT_WAIT_SECONDS = 1.0
"""How long the association stays open for a report that comes at once."""

ANSWER_WITHIN = timedelta(hours=1)
"""Without a report for this time the archive is asked once more; then the delivery stays STORED."""

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
NO_SUCH_INSTANCE = 0x0112

_log = get_logger()


def commit(context: FlowContext, key: str) -> None:
    """Ask a destination about what it has got of a job and was not asked about.

    Parameters
    ----------
    key
        The job's id and the destination's name.
    """
    job, destination = split_pair(key)
    peer = context.config.peers.get(destination)
    if peer is None or not _can_be_asked(peer):
        return
    limits = context.commitment_limits
    if not limits.begin(destination, key, 1):
        return
    try:
        with context.database.read() as session:
            rows = commitments.stored(session, JobId(job), destination)
        if rows:
            _ask(context, peer, destination, rows)
    finally:
        _wake(context, limits.end(destination, key))


def _wake(context: FlowContext, key: str | None) -> None:
    """Ask for what has waited for its turn at an archive; `remind` does it if this fails."""
    if key is not None:
        with suppress(StorageError), context.write(durable=False) as transaction:
            context.engine.enqueue(transaction, TaskKind.COMMIT, key)


@dataclass(frozen=True, slots=True)
class Answer:
    """How many results a destination was asked about, and how many it has committed to."""

    destination: str
    asked: int
    committed: int


def ask_again(context: FlowContext, job_id: JobId) -> list[Answer]:
    """Ask every destination about what it has got of a job, whatever it was asked before.

    An operator asks for it: also peers without ``commitment = true`` are asked.

    Returns
    -------
    list of Answer
        One for each archive that has something of the job and has not committed to it.
    """
    with context.database.read() as session:
        destinations = commitments.uncommitted(session, job_id)
    answers = []
    for destination, rows in destinations.items():
        if destination not in context.config.peers:
            raise ConfigError(f"destination {destination!r} is not in the configuration any more")
        peer = context.config.peers[destination]
        if not _can_be_asked(peer):
            continue
        _ask(context, peer, destination, rows)
        with context.database.read() as session:
            left = commitments.uncommitted(session, job_id).get(destination, [])
        answers.append(Answer(destination, len(rows), len(rows) - len(left)))
    return answers


def _ask(
    context: FlowContext,
    peer: Peer,
    destination: str,
    rows: Sequence[tuple[Delivery, Result]],
) -> None:
    """Record the request before it is sent: the report may come before the response to it."""
    transaction_uid = random_uid()
    with context.write() as transaction:
        asked = [
            (delivery, result)
            for delivery, result in rows
            if commitments.ask(transaction, delivery, transaction_uid)
        ]
    if not asked:
        return
    results = [result for _, result in asked]
    try:
        if isinstance(peer, DimsePeer):
            answer = _by_dimse(context, peer, transaction_uid, results)
        else:
            answer = _by_search(context, destination, transaction_uid, results)
    except PeerError as error:
        if context.stopping.is_set():
            return  # the next start asks again
        _not_asked(context, transaction_uid, error)
        _log.warning("commitment not requested", peer=destination, error=error.code)
        return
    if answer is not None:
        report(context, answer)


def _can_be_asked(peer: Peer) -> bool:
    return isinstance(peer, DimsePeer | DicomwebPeer)


def _by_dimse(
    context: FlowContext, peer: DimsePeer, transaction_uid: str, results: Sequence[Result]
) -> CommitmentReport | None:
    """Ask by N-ACTION; None if the report will come later."""
    references = [(result.sop_class_uid, result.sop_instance_uid) for result in results]
    where = address(context.config, peer)
    return context.associations.without_idle(
        where,
        lambda: client.request_commitment(
            where,
            context.config.node.ae_title,
            transaction_uid,
            references,
            wait_seconds=REPORT_WAIT_SECONDS,
            timeout=peer.timeout_seconds,
        ),
    )


def _by_search(
    context: FlowContext, destination: str, transaction_uid: str, results: Sequence[Result]
) -> CommitmentReport:
    """Search for the objects; what is not listed is looked for once more a little later."""
    from pacs_ai.destinations.dicomweb import listed  # noqa: PLC0415 - loads dicomweb-client

    with context.database.read() as session:
        study = commitments.study_of(session, JobId(results[0].job_id))
    series = {result.series_instance_uid for result in results}
    wanted = {result.sop_instance_uid: result.sop_class_uid for result in results}
    found = listed(context.config, destination, study, series)
    if not wanted.keys() <= found:
        context.clock.sleep(REPORT_WAIT_SECONDS)
        found = listed(context.config, destination, study, series)
    return CommitmentReport(
        transaction_uid,
        tuple((wanted[uid], uid) for uid in wanted if uid in found),
        tuple((wanted[uid], uid, NO_SUCH_INSTANCE) for uid in wanted if uid not in found),
    )


def _not_asked(context: FlowContext, transaction_uid: str, error: PeerError) -> None:
    """Ask later if that may help; for a peer without storage commitment STORED is the end."""
    with context.write() as transaction:
        for delivery, _ in commitments.asked(transaction, transaction_uid):
            if delivery.state != DeliveryState.COMMITTING:
                continue
            if error.retryable:
                commitments.ask_later(transaction, delivery)
            else:
                commitments.give_up(transaction, delivery, error.message)


def report(context: FlowContext, received: CommitmentReport) -> int:
    """Take an archive's report.

    Returns
    -------
    int
        DIMSE status for the archive: 0x0000, or 0x0110 for a Transaction UID that nobody knows.
        A report that comes late or twice changes nothing and is a success.
    """
    failed = {uid: reason for _, uid, reason in received.failed}
    committed = {uid for _, uid in received.committed}
    confirmed = 0
    with context.write() as transaction:
        rows = commitments.asked(transaction, received.transaction_uid)
        for delivery, result in rows:
            if delivery.state != DeliveryState.COMMITTING:
                continue
            if result.sop_instance_uid in committed:
                confirmed += commitments.confirmed(transaction, delivery)
            elif result.sop_instance_uid in failed:
                reason = failed[result.sop_instance_uid]
                target = commitments.refused(transaction, delivery, reason)
                if target is DeliveryState.PENDING:
                    ask_delivery(context, transaction, delivery.job_id, delivery.destination)
    if not rows:
        _log.warning("commitment report for an unknown transaction")
        return PROCESSING_FAILURE
    _log.info("commitment reported", committed=confirmed, failed=len(failed))
    return SUCCESS


def remind(context: FlowContext) -> None:
    """Ask once more where no report came; after that leave the delivery as STORED."""
    names = [name for name, peer in context.config.peers.items() if peer.asks_commitment]
    with context.write() as transaction:
        commitments.count_anew(transaction)
        for delivery in commitments.unanswered(transaction, transaction.now - ANSWER_WITHIN):
            if delivery.error_code != commitments.UNANSWERED:
                commitments.ask_again(transaction, delivery)
            else:
                text = "the archive did not report within the hour, twice"
                commitments.give_up(transaction, delivery, text)
        for job_id, destination in commitments.to_ask(transaction, names):
            context.engine.enqueue(transaction, TaskKind.COMMIT, pair_key(job_id, destination))
