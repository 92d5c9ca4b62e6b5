"""Storage commitment as SCP (PS3.4 Annex J): a peer asks whether the node keeps its instances.

The answer is given after every file was read and its checksum compared.
"""

import threading

from pacs_ai.destinations.addresses import address
from pacs_ai.errors import PeerError, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_rules import up_to_date
from pacs_ai.flow.integrity import check_instances
from pacs_ai.logs import get_logger
from pacs_ai.net.commitment_dataset import CommitmentReport, SopReference
from pacs_ai.net.scp.handlers import CommitmentRequest
from pacs_ai.net.scu import client
from pacs_ai.store import instances

NO_SUCH_INSTANCE = 0x0112
CLASS_CONFLICT = 0x0119
PROCESSING_FAILURE = 0x0110
"""Failure Reasons (PS3.3 Section C.14.1.1)."""

REPORT_TRIES = 5
REPORT_PAUSE_SECONDS = 10.0

_log = get_logger()


class CommitmentScp:
    """Answers storage commitment requests for the instances this node holds."""

    def __init__(self, context: FlowContext) -> None:
        self._context = context

    def commitment_request(self, request: CommitmentRequest) -> CommitmentReport:
        """Check the instances that a peer asks about, and report."""
        committed: list[SopReference] = []
        failed: list[tuple[str, str, int]] = []
        for reference in request.references:
            reason = self._check(reference)
            if reason:
                failed.append((*reference, reason))
            else:
                committed.append(reference)
        _log.info(
            "commitment answered",
            peer=request.association.calling_aet,
            committed=len(committed),
            failed=len(failed),
        )
        return CommitmentReport(request.transaction_uid, tuple(committed), tuple(failed))

    def commitment_undelivered(self, request: CommitmentRequest, report: CommitmentReport) -> None:
        """Report on a new association, if the peer's address is configured."""
        calling = request.association.calling_aet
        config = up_to_date(self._context).config
        peers = [peer for peer in config.dimse_peers.values() if peer.ae_title == calling]
        if not peers:
            _log.warning("commitment report not delivered: no such peer", peer=calling)
            return
        own_aet = request.association.called_aet
        where = address(config, peers[0])
        threading.Thread(target=self._deliver, args=(where, own_aet, report), daemon=True).start()

    def _check(self, reference: SopReference) -> int:
        """Return 0 for an instance that is stored as it arrived, else the Failure Reason."""
        sop_class_uid, sop_instance_uid = reference
        context = self._context
        try:
            with context.database.read() as session:
                row = instances.find(session, sop_instance_uid)
            if row is None:
                return NO_SUCH_INSTANCE
            if row.sop_class_uid != sop_class_uid:
                return CLASS_CONFLICT
            check_instances(context.spool, [row])
        except StorageError as error:
            _log.error("instance not vouched for", error=error.code, reason=error.message)
            return PROCESSING_FAILURE
        return 0

    def _deliver(self, peer: client.PeerAddress, own_aet: str, report: CommitmentReport) -> None:
        for _ in range(REPORT_TRIES):
            try:
                client.report_commitment(peer, own_aet, report)
            except PeerError as error:
                _log.warning("commitment report refused", peer=peer.ae_title, error=error.code)
                self._context.clock.sleep(REPORT_PAUSE_SECONDS)
            else:
                return
