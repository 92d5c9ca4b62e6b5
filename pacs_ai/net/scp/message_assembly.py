"""DIMSE messages assembled from P-DATA-TF PDUs (PS3.7 Section 8, PS3.8 Annex E)."""

import math
import time
from collections.abc import Callable, Mapping

from pacs_ai.net.contexts import Service
from pacs_ai.net.dimse import RESPONSE, Command, Element, Field, decode_command
from pacs_ai.net.faults import AbortReason, ProtocolViolation
from pacs_ai.net.pdu import COMMAND_FRAGMENT, LAST_FRAGMENT, PDV_HEADER
from pacs_ai.net.scp.commitment import begin_give_report, begin_take_report
from pacs_ai.net.scp.negotiation import AcceptedContext
from pacs_ai.net.scp.operations import (
    Ignore,
    Operation,
    OperationServices,
    answer_now,
    begin_echo,
    begin_store,
    refuse_large,
)
from pacs_ai.net.scp.rate_limited_log import limited_log
from pacs_ai.net.scp.receive_buffer import ReceiveBuffer
from pacs_ai.net.status import Status

Begin = Callable[[OperationServices, AcceptedContext, Command], Operation]

OPERATIONS: Mapping[tuple[Service, int], Begin] = {
    (Service.STORAGE, Field.C_STORE): begin_store,
    (Service.COMMITMENT, Field.N_EVENT_REPORT): begin_take_report,
    (Service.COMMITMENT, Field.N_ACTION): begin_give_report,
    **{(service, Field.C_ECHO): begin_echo for service in Service},
}
"""By the context's service and the command field; C-ECHO is answered on every context."""


class MessageAssembly:
    """Assembles fragments, and performs the operation of each message.

    Parameters
    ----------
    buffer
        Bytes of the connection.
    services
        For the operations.
    contexts
        Accepted presentation contexts by their ids.
    max_command
        Bytes of the largest command set.
    """

    def __init__(
        self,
        buffer: ReceiveBuffer,
        services: OperationServices,
        contexts: Mapping[int, AcceptedContext],
        max_command: int,
    ) -> None:
        self._buffer = buffer
        self._services = services
        self._contexts = contexts
        self._max_command = max_command
        self._context_id = 0
        self._command = b""
        self._operation: Operation | None = None
        self.messages = 0
        self.payload = 0

    @property
    def busy(self) -> bool:
        """Tell whether a message has begun and not ended."""
        return self._operation is not None or self._context_id != 0

    def transfer(self, length: int) -> None:
        """Take the fragments of one P-DATA-TF PDU.

        Parameters
        ----------
        length
            Bytes of its body.

        Raises
        ------
        ProtocolViolation
            If a fragment reaches beyond the PDU, belongs to no accepted context, is not the next
            part of its message, or makes the message too large.
        """
        if not length:
            raise ProtocolViolation("P-DATA-TF without a fragment")
        buffer = self._buffer
        while length:
            if length < PDV_HEADER:
                raise ProtocolViolation("fragment header cut off")
            item, context_id, control = buffer.pdv_header()
            count = item - 2
            length -= PDV_HEADER + count
            if count < 0 or length < 0:
                raise ProtocolViolation("fragment reaches beyond its PDU")
            self.payload += count
            last = bool(control & LAST_FRAGMENT)
            if control & COMMAND_FRAGMENT:
                self._command_fragment(context_id, count, last=last)
            else:
                self._data_fragment(context_id, count, last=last)

    def abandon(self) -> None:
        """Drop a message whose rest will not come."""
        operation, self._operation = self._operation, None
        self._buffer.holder = None
        if operation is not None:
            operation.abandon()
        self._services.reports.close()

    def _command_fragment(self, context_id: int, count: int, *, last: bool) -> None:
        if self._operation is not None:
            raise ProtocolViolation("command in the middle of a data set")
        if context_id not in self._contexts:
            raise ProtocolViolation("message on a context that was not accepted")
        if self._context_id not in (0, context_id):
            raise ProtocolViolation("message changes its context")
        if len(self._command) + count > self._max_command:
            known = self._buffer.take(self._max_command - len(self._command))
            refuse_large(
                self._services, self._contexts[context_id], decode_command(self._command + known)
            )
            raise ProtocolViolation("command set too large", AbortReason.NOT_SPECIFIED)
        self._context_id = context_id
        self._command += self._buffer.take(count)
        if last:
            command, self._command = decode_command(self._command), b""
            self._begin(command)

    def _begin(self, command: Command) -> None:
        left = self._stop_clock()
        operation = begin(self._services, self._contexts[self._context_id], command)
        self._buffer.deadline = time.monotonic() + left
        if command.has_dataset:
            self._operation = operation
            self._buffer.holder = operation.writer
        else:
            self._finish(operation)

    def _data_fragment(self, context_id: int, count: int, *, last: bool) -> None:
        operation = self._operation
        if operation is None or context_id != self._context_id:
            raise ProtocolViolation("data set without its command")
        writer = operation.writer
        if count > writer.limit - writer.size:
            limited_log.warning("message too large", limit=writer.limit)
            operation.refuse(Status.OUT_OF_RESOURCES)
            raise ProtocolViolation("message too large", AbortReason.NOT_SPECIFIED)
        buffer = self._buffer
        while count:
            view = buffer.some(count)
            count -= len(view)
            writer.write(view)
        if last:
            self._finish(operation)

    def _stop_clock(self) -> float:
        """Stop the peer's deadline while the node works; return the seconds that were left."""
        buffer = self._buffer
        left = buffer.deadline - time.monotonic()
        buffer.deadline = math.inf
        return left

    def _finish(self, operation: Operation) -> None:
        left = self._stop_clock()
        operation.finish()
        self._buffer.deadline = time.monotonic() + left
        self._buffer.holder = None
        self._operation = None
        self._context_id = 0
        self.messages += 1


def begin(services: OperationServices, context: AcceptedContext, command: Command) -> Operation:
    """Find the operation that a command asks for (PS3.7 Section 9.1, Annex E).

    Raises
    ------
    ProtocolViolation
        If the command cannot be answered: no command field, a request without message id, or a
        response without status.
    """
    field = command.number(Element.FIELD)
    if field is None:
        raise ProtocolViolation("command without command field")
    if field == Field.N_EVENT_REPORT | RESPONSE:
        services.reports.answered(command)
    if field & RESPONSE and command.status is None:
        raise ProtocolViolation("response without a status")
    if field & RESPONSE or field == Field.C_CANCEL:
        return Ignore(services)
    if command.number(Element.MESSAGE_ID) is None:
        raise ProtocolViolation("request without message id")
    if not command.whole:
        return answer_now(services, context, command, Status.MISTYPED_ARGUMENT, "malformed command")
    operation = OPERATIONS.get((context.service, field))
    if operation is None:
        comment = "no such operation on this context"
        return answer_now(services, context, command, Status.UNRECOGNIZED_OPERATION, comment)
    return operation(services, context, command)
