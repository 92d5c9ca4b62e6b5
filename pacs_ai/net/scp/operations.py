"""The operations that messages ask for, one class for each.

An operation begins with its command, takes the data set into ``writer`` if one follows, and
finishes with the bytes of the response, or is abandoned when the association ends before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pacs_ai.errors import StorageError
from pacs_ai.logs import get_logger
from pacs_ai.net.dimse import Command, Element, Field, encode_response
from pacs_ai.net.scp.dataset_writer import DatasetWriter, DiscardingWriter, FileWriter, file_head
from pacs_ai.net.scp.handlers import (
    AssociationInfo,
    CommitmentProvider,
    ReceivedInstance,
    StorageHandlers,
    StoreAnswer,
)
from pacs_ai.net.scp.negotiation import AcceptedContext
from pacs_ai.net.scp.rate_limited_log import limited_log
from pacs_ai.net.status import Status

_log = get_logger()

_MAX_MESSAGE_ID = 0xFFFF


@dataclass(frozen=True, slots=True)
class OperationServices:
    """What an association offers to its operations."""

    info: AssociationInfo
    handlers: StorageHandlers
    provider: CommitmentProvider | None
    max_instance: int
    max_identifier: int
    send: Callable[[int, bytes, bytes | None], None]
    """Sends command and data set on a context."""
    reports: "Reports"


class Reports:
    """Our commitment reports that the peer has not confirmed."""

    def __init__(self) -> None:
        self._open: dict[int, Callable[[], None]] = {}
        self._last_id = 0

    def sent(self, undelivered: Callable[[], None]) -> int:
        """Register a report that is about to be sent; return its message id."""
        self._last_id = self._last_id % _MAX_MESSAGE_ID + 1
        self._open[self._last_id] = undelivered
        return self._last_id

    def answered(self, command: Command) -> None:
        """Take a response; only success confirms a report."""
        if command.number(Element.STATUS) == Status.SUCCESS:
            self._open.pop(command.number(Element.ANSWERED_ID) or 0, None)

    def close(self) -> None:
        """Call back for each report that was not confirmed."""
        while self._open:
            self._open.popitem()[1]()


class Operation(Protocol):
    """What one message asks for."""

    writer: DatasetWriter

    def finish(self) -> None:
        """Perform the operation and answer."""
        ...

    def refuse(self, status: int) -> None:
        """Answer with a failure before the data set has ended; `abandon` follows."""
        ...

    def abandon(self) -> None:
        """Clean up; there is no answer."""
        ...


class Respond:
    """Drops the data set, if there is one, then answers with a given status."""

    def __init__(
        self,
        services: OperationServices,
        context: AcceptedContext,
        command: Command,
        status: int,
        comment: str,
    ) -> None:
        self.writer: DatasetWriter = DiscardingWriter(services.max_instance)
        self._services = services
        self._context = context
        self._command = command
        self._status = status
        self._comment = comment

    def finish(self) -> None:
        """Answer."""
        self.refuse(self._status)

    def refuse(self, status: int) -> None:
        """Answer with a status."""
        field = self._command.number(Element.FIELD) or 0
        if field == Field.C_STORE:
            self._services.handlers.refused(status)
        response = encode_response(self._command, field, status, self._comment)
        self._services.send(self._context.id, response, None)

    def abandon(self) -> None:
        """Do nothing: nothing is held."""


class Ignore:
    """Drops the data set of a message that needs no answer, or was answered."""

    def __init__(self, services: OperationServices) -> None:
        self.writer: DatasetWriter = DiscardingWriter(services.max_instance)

    def finish(self) -> None:
        """Do nothing: no answer is due."""

    def refuse(self, status: int) -> None:
        """Do nothing: no answer is due."""

    def abandon(self) -> None:
        """Do nothing: nothing is held."""


def answer_now(
    services: OperationServices,
    context: AcceptedContext,
    command: Command,
    status: int,
    comment: str,
) -> Operation:
    """Answer a malformed command at once: its data set may never come."""
    Respond(services, context, command, status, comment).finish()
    return Ignore(services)


def refuse_large(services: OperationServices, context: AcceptedContext, command: Command) -> None:
    """Answer a C-STORE whose command is too large, if its message id is known; an abort follows."""
    if command.number(Element.FIELD) == Field.C_STORE and (
        command.number(Element.MESSAGE_ID) is not None
    ):
        comment = "command set too large"
        Respond(services, context, command, Status.OUT_OF_RESOURCES, comment).finish()


class Store:
    """C-STORE (PS3.7 Section 9.3.1, PS3.4 Annex B)."""

    def __init__(
        self,
        services: OperationServices,
        context: AcceptedContext,
        command: Command,
        writer: FileWriter,
    ) -> None:
        self.writer: DatasetWriter = writer
        self._writer = writer
        self._services = services
        self._context = context
        self._command = command
        self._owned = True

    def finish(self) -> None:
        """Hand the instance over and answer as the handler decides."""
        writer = self._writer
        writer.spill()
        if writer.error is not None:
            _log.error("instance not written", errno=writer.error.errno)
            self.abandon()
            self.refuse(Status.OUT_OF_RESOURCES)
            return
        received = ReceivedInstance(
            association=self._services.info,
            file=writer.incoming,
            sop_class_uid=self._context.abstract_syntax,
            sop_instance_uid=self._command.uid(Element.AFFECTED_INSTANCE) or "",
            transfer_syntax_uid=self._context.transfer_syntax,
            bytes=writer.size,
        )
        self._owned = False
        answer = self._store(received)
        self._answer(answer.status, answer.comment)

    def _store(self, received: ReceivedInstance) -> StoreAnswer:
        try:
            return self._services.handlers.store(received)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not end a peer's job
            _log.error("receive failed unexpectedly", error=type(error).__name__)
            self._services.handlers.refused(Status.HANDLER_FAILED)
            return StoreAnswer(Status.HANDLER_FAILED, "internal error")

    def refuse(self, status: int) -> None:
        """Answer with a failure."""
        self._services.handlers.refused(status)
        self._answer(status, "")

    def _answer(self, status: int, comment: str) -> None:
        response = encode_response(self._command, Field.C_STORE, status, comment)
        self._services.send(self._context.id, response, None)

    def abandon(self) -> None:
        """Have the file removed, unless the handler owns it."""
        if self._owned:
            self._owned = False
            self._services.handlers.discard(self._writer.incoming)


def begin_store(
    services: OperationServices, context: AcceptedContext, command: Command
) -> Operation:
    """Begin a C-STORE: check its UIDs and open a file.

    Nothing that the peer sent becomes part of a path: the UID goes into the file only.
    """
    sop_class = command.uid(Element.AFFECTED_CLASS)
    instance = command.uid(Element.AFFECTED_INSTANCE)
    if sop_class is None or instance is None or not command.has_dataset:
        return answer_now(services, context, command, Status.MISTYPED_ARGUMENT, "incomplete")
    if not instance:
        return Respond(services, context, command, Status.INVALID_INSTANCE, "invalid UID")
    if sop_class != context.abstract_syntax:
        comment = "SOP class is not that of the presentation context"
        return Respond(services, context, command, Status.CLASS_NOT_SUPPORTED, comment)
    try:
        incoming = services.handlers.open_incoming()
    except StorageError as error:
        limited_log.warning("instance refused", code=error.code)
        return Respond(services, context, command, Status.OUT_OF_RESOURCES, "out of resources")
    except Exception as error:  # noqa: BLE001 - as in `Store`
        _log.error("receive failed unexpectedly", error=type(error).__name__)
        return Respond(services, context, command, Status.HANDLER_FAILED, "internal error")
    titles = (services.info.calling_aet, services.info.called_aet)
    head = file_head(sop_class, instance, context.transfer_syntax, titles)
    return Store(services, context, command, FileWriter(incoming, head, services.max_instance))


def begin_echo(
    services: OperationServices, context: AcceptedContext, command: Command
) -> Operation:
    """Begin a C-ECHO (PS3.7 Section 9.3.5)."""
    return Respond(services, context, command, Status.SUCCESS, "")
