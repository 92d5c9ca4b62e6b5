"""Storage commitment on the acceptor's side (PS3.4 Annex J): reports to us, requests to us."""

from pydicom import Dataset

from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.logs import get_logger
from pacs_ai.net import commitment_dataset
from pacs_ai.net.commitment_dataset import CommitmentReport
from pacs_ai.net.contexts import COMMITMENT_PUSH_INSTANCE
from pacs_ai.net.dimse import (
    Command,
    Element,
    Field,
    encode_response,
    short,
)
from pacs_ai.net.scp.dataset_writer import DatasetWriter, MemoryWriter
from pacs_ai.net.scp.handlers import CommitmentProvider, CommitmentRequest
from pacs_ai.net.scp.negotiation import AcceptedContext
from pacs_ai.net.scp.operations import Operation, OperationServices, answer_now
from pacs_ai.net.scp.rate_limited_log import limited_log
from pacs_ai.net.status import Status

_log = get_logger()


class _SmallDataset:
    """Keeps the data set of a message in memory until it is whole."""

    def __init__(
        self, services: OperationServices, context: AcceptedContext, command: Command
    ) -> None:
        self._memory = MemoryWriter(services.max_identifier)
        self.writer: DatasetWriter = self._memory
        self._services = services
        self._context = context
        self._command = command

    def abandon(self) -> None:
        """Do nothing: nothing is held."""

    def _decoded(self) -> Dataset:
        return commitment_dataset.decode(bytes(self._memory.data), self._context.transfer_syntax)


class ReceiveReport(_SmallDataset):
    """N-EVENT-REPORT: an archive says what it keeps of what we sent (PS3.7 Section 10.1.1)."""

    def finish(self) -> None:
        """Hand the report over and answer as the handler decides."""
        try:
            report = commitment_dataset.read_report(self._decoded())
            status = self._services.handlers.commitment_report(report)
        except (NotDicom, StorageError) as error:
            _log.warning("commitment report not taken", code=error.code)
            status = Status.PROCESSING_FAILURE
        self.refuse(status)

    def refuse(self, status: int) -> None:
        """Answer with a status."""
        event = short(Element.EVENT_TYPE, self._command.number(Element.EVENT_TYPE) or 0)
        response = encode_response(self._command, Field.N_EVENT_REPORT, status, extra=event)
        self._services.send(self._context.id, response, None)


class AnswerRequest(_SmallDataset):
    """N-ACTION: a peer asks what we keep.

    The request is answered at once, and the report follows when it is known (PS3.4 Annex J.3.2);
    here on the same association.
    """

    def __init__(
        self,
        services: OperationServices,
        context: AcceptedContext,
        command: Command,
        provider: CommitmentProvider,
    ) -> None:
        super().__init__(services, context, command)
        self._provider = provider

    def finish(self) -> None:
        """Answer the request, look the instances up, and report."""
        try:
            transaction, references = commitment_dataset.read_request(self._decoded())
        except NotDicom as error:
            limited_log.warning("commitment request not taken", code=error.code)
            self.refuse(Status.PROCESSING_FAILURE)
            return
        self.refuse(Status.SUCCESS)
        request = CommitmentRequest(self._services.info, transaction, references)
        try:
            report = self._provider.commitment_request(request)
        except StorageError as error:
            # Without a report the peer will ask again.
            _log.warning("commitment not looked up", code=error.code)
            return
        self._report(request, report)

    def _report(self, request: CommitmentRequest, report: CommitmentReport) -> None:
        """Send the report; the peer's response arrives like any other message."""
        message_id = self._services.reports.sent(
            lambda: self._provider.commitment_undelivered(request, report)
        )
        event, dataset = commitment_dataset.report_dataset(report)
        command, encoded = commitment_dataset.encode_message(
            Field.N_EVENT_REPORT, message_id, event, dataset, self._context.transfer_syntax
        )
        self._services.send(self._context.id, command, encoded)

    def refuse(self, status: int) -> None:
        """Answer with a status."""
        action = short(Element.ACTION_TYPE, commitment_dataset.REQUEST_ACTION)
        response = encode_response(self._command, Field.N_ACTION, status, extra=action)
        self._services.send(self._context.id, response, None)


def begin_take_report(
    services: OperationServices, context: AcceptedContext, command: Command
) -> Operation:
    """Begin an N-EVENT-REPORT."""
    if command.number(Element.EVENT_TYPE) not in tuple(commitment_dataset.EventType):
        return answer_now(services, context, command, Status.NO_SUCH_EVENT, "")
    if not command.has_dataset:
        return answer_now(services, context, command, Status.MISTYPED_ARGUMENT, "no report")
    return ReceiveReport(services, context, command)


def begin_give_report(
    services: OperationServices, context: AcceptedContext, command: Command
) -> Operation:
    """Begin an N-ACTION."""
    if services.provider is None:
        return answer_now(services, context, command, Status.UNRECOGNIZED_OPERATION, "no SCP here")
    if command.number(Element.ACTION_TYPE) != commitment_dataset.REQUEST_ACTION:
        return answer_now(services, context, command, Status.NO_SUCH_ACTION, "")
    if command.uid(Element.REQUESTED_INSTANCE) != COMMITMENT_PUSH_INSTANCE:
        return answer_now(services, context, command, Status.NO_SUCH_INSTANCE, "")
    if not command.has_dataset:
        return answer_now(services, context, command, Status.MISTYPED_ARGUMENT, "no request")
    return AnswerRequest(services, context, command, services.provider)
