"""DIMSE messages out of P-DATA-TF PDUs, one at a time (PS3.7 Section 8, PS3.8 Annex E)."""

import math
import time
from collections.abc import Callable, Mapping

from pacs_ai.net.contexts import Service
from pacs_ai.net.dimse import RESPONSE, Command, Element, Field, decode_command
from pacs_ai.net.faults import AbortReason, ProtocolViolation
from pacs_ai.net.pdu import COMMAND_FRAGMENT, LAST_FRAGMENT, PDV_HEADER
from pacs_ai.net.scp.commitment import begin_give_report, begin_take_report
from pacs_ai.net.scp.negotiation import AcceptedContext
from pacs_ai.net.scp.noise import warnings
from pacs_ai.net.scp.operations import (
    Ignore,
    Operation,
    Session,
    answer_now,
    begin_echo,
    begin_store,
    refuse_large,
)
from pacs_ai.net.scp.receiver import Receiver
from pacs_ai.net.status import Status

Begin = Callable[[Session, AcceptedContext, Command], Operation]

OPERATIONS: Mapping[tuple[Service, int], Begin] = {
    (Service.STORAGE, Field.C_STORE): begin_store,
    (Service.COMMITMENT, Field.N_EVENT_REPORT): begin_take_report,
    (Service.COMMITMENT, Field.N_ACTION): begin_give_report,
    **{(service, Field.C_ECHO): begin_echo for service in Service},
}
"""By the context's service and the command field; C-ECHO is answered wherever it is asked."""


class Dialogue:
    """Puts fragments together and has each message done.

    Parameters
    ----------
    receiver
        Bytes of the connection.
    session
        What operations may use.
    contexts
        Accepted presentation contexts by their ids.
    max_command
        Bytes of the largest command set.
    """

    def __init__(
        self,
        receiver: Receiver,
        session: Session,
        contexts: Mapping[int, AcceptedContext],
        max_command: int,
    ) -> None:
        self._receiver = receiver
        self._session = session
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
            If a fragment reaches beyond the PDU, belongs to no accepted context, comes out of
            turn, or makes a message too large.
        """
        if not length:
            raise ProtocolViolation("P-DATA-TF without a fragment")
        receiver = self._receiver
        while length:
            if length < PDV_HEADER:
                raise ProtocolViolation("fragment header cut off")
            item, context_id, control = receiver.pdv_header()
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
        """Drop a message that will not end."""
        operation, self._operation = self._operation, None
        self._receiver.holder = None
        if operation is not None:
            operation.abandon()
        self._session.reports.close()

    def _command_fragment(self, context_id: int, count: int, *, last: bool) -> None:
        if self._operation is not None:
            raise ProtocolViolation("command in the middle of a data set")
        if context_id not in self._contexts:
            raise ProtocolViolation("message on a context that was not accepted")
        if self._context_id not in (0, context_id):
            raise ProtocolViolation("message changes its context")
        if len(self._command) + count > self._max_command:
            known = self._receiver.take(self._max_command - len(self._command))
            refuse_large(
                self._session, self._contexts[context_id], decode_command(self._command + known)
            )
            raise ProtocolViolation("command set too large", AbortReason.NOT_SPECIFIED)
        self._context_id = context_id
        self._command += self._receiver.take(count)
        if last:
            command, self._command = decode_command(self._command), b""
            self._begin(command)

    def _begin(self, command: Command) -> None:
        left = self._stop_clock()
        operation = begin(self._session, self._contexts[self._context_id], command)
        self._receiver.deadline = time.monotonic() + left
        if command.has_dataset:
            self._operation = operation
            self._receiver.holder = operation.sink
        else:
            self._finish(operation)

    def _data_fragment(self, context_id: int, count: int, *, last: bool) -> None:
        operation = self._operation
        if operation is None or context_id != self._context_id:
            raise ProtocolViolation("data set without its command")
        sink = operation.sink
        if count > sink.limit - sink.size:
            warnings.warn("message too large", limit=sink.limit)
            operation.refuse(Status.OUT_OF_RESOURCES)
            raise ProtocolViolation("message too large", AbortReason.NOT_SPECIFIED)
        receiver = self._receiver
        while count:
            view = receiver.some(count)
            count -= len(view)
            sink.write(view)
        if last:
            self._finish(operation)

    def _stop_clock(self) -> float:
        """Stop the peer's deadline while the node works, however long; return what was left."""
        receiver = self._receiver
        left = receiver.deadline - time.monotonic()
        receiver.deadline = math.inf
        return left

    def _finish(self, operation: Operation) -> None:
        left = self._stop_clock()
        operation.finish()
        self._receiver.deadline = time.monotonic() + left
        self._receiver.holder = None
        self._operation = None
        self._context_id = 0
        self.messages += 1


def begin(session: Session, context: AcceptedContext, command: Command) -> Operation:
    """Find the operation that a command asks for (PS3.7 Section 9.1, Annex E).

    Raises
    ------
    ProtocolViolation
        If the command is so broken that nobody could be told: no command field, a request
        without message id, or a response without status, which is none.
    """
    field = command.number(Element.FIELD)
    if field is None:
        raise ProtocolViolation("command without command field")
    if field == Field.N_EVENT_REPORT | RESPONSE:
        session.reports.answered(command)
    if field & RESPONSE and command.status is None:
        raise ProtocolViolation("response without a status")
    if field & RESPONSE or field == Field.C_CANCEL:
        return Ignore(session)
    if command.number(Element.MESSAGE_ID) is None:
        raise ProtocolViolation("request without message id")
    if not command.whole:
        return answer_now(session, context, command, Status.MISTYPED_ARGUMENT, "malformed command")
    operation = OPERATIONS.get((context.service, field))
    if operation is None:
        comment = "no such operation on this context"
        return answer_now(session, context, command, Status.UNRECOGNIZED_OPERATION, comment)
    return operation(session, context, command)
