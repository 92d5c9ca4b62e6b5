"""Messages of a peer on our association, assembled from fragments (PS3.8 Annex E)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from pacs_ai.net.dimse import RESPONSE, Command, Element, Field, decode_command
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.pdu import COMMAND_FRAGMENT, LAST_FRAGMENT, PDV_HEADER
from pacs_ai.net.status import PENDING

_MAX_COMMAND = 64 << 10
_MAX_DATASET = 16 << 20
_PDV = Struct(">LBB")


class IncomingInstance(Protocol):
    """Takes the data set of a C-STORE of the peer piece by piece, as it arrives."""

    def write(self, data: bytes) -> None:
        """Take some bytes."""
        ...

    def end(self) -> int:
        """Take the end of it; returns the status of the C-STORE."""
        ...

    def discard(self) -> None:
        """Drop it: it does not come whole."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a match of the peer with its data set, or a response without it.

    The data set of an instance is not in ``dataset``: ``instance`` has taken it.
    """

    context_id: int
    command: Command
    dataset: bytes = b""
    instance: IncomingInstance | None = None

    @property
    def is_response(self) -> bool:
        """Tell whether it is a response."""
        return bool((self.command.number(Element.FIELD) or 0) & RESPONSE)


BeginInstance = Callable[[int, Command], IncomingInstance]
"""Begins an instance: context id, and command set of the C-STORE."""


class MessageReader:
    """Assembles messages from the bodies of P-DATA-TF PDUs.

    A response is complete with its command set, unless it is pending: we need no data set of other
    responses, and some peers announce one that never comes.

    Parameters
    ----------
    name
        The peer, for errors.
    begin_instance
        Takes what the peer sends by C-STORE; None if nobody has asked for instances.

    Attributes
    ----------
    taken
        Bytes of data sets that have arrived.
    """

    def __init__(self, name: str, begin_instance: BeginInstance | None = None) -> None:
        self.taken = 0
        self._name = name
        self._begin_instance = begin_instance
        self._ready: list[Message] = []
        self._command = bytearray()
        self._open: Message | None = None
        self._dataset = bytearray()

    @property
    def messages(self) -> Iterator[Message]:
        """The complete messages, each once."""
        while self._ready:
            yield self._ready.pop(0)

    def take(self, body: bytes) -> None:
        """Take the fragments of one P-DATA-TF.

        Raises
        ------
        ProtocolViolation
            If a fragment reaches beyond the PDU, a message is too long, or a command set has no
            command field.
        """
        at = 0
        while at < len(body):
            if len(body) - at < PDV_HEADER:
                raise ProtocolViolation(f"{self._name} cuts a fragment off")
            length, context_id, control = _PDV.unpack_from(body, at)
            start, at = at + PDV_HEADER, at + 4 + length
            if at < start or at > len(body):
                raise ProtocolViolation(f"{self._name} sends a fragment longer than its PDU")
            data, last = body[start:at], bool(control & LAST_FRAGMENT)
            if control & COMMAND_FRAGMENT:
                self._command_fragment(context_id, data, last=last)
            else:
                self._data_fragment(data, last=last)

    def _command_fragment(self, context_id: int, data: bytes, *, last: bool) -> None:
        self._command += data
        if len(self._command) > _MAX_COMMAND:
            raise ProtocolViolation(f"{self._name} sends a command set that is too long")
        if not last:
            return
        command = decode_command(bytes(self._command))
        self._command.clear()
        self._dataset.clear()
        self._open = None
        if command.number(Element.FIELD) is None:
            raise ProtocolViolation(f"{self._name} sends a command set without a command field")
        message = Message(context_id, command, instance=self._instance(context_id, command))
        if command.has_dataset and (not message.is_response or command.status in PENDING):
            self._open = message
        else:
            self._ready.append(message)

    def _instance(self, context_id: int, command: Command) -> IncomingInstance | None:
        """Begin an instance that the peer sends; None for any other message."""
        if self._begin_instance is None or not command.has_dataset:
            return None
        if command.number(Element.FIELD) != Field.C_STORE:
            return None
        return self._begin_instance(context_id, command)

    def abandon(self) -> None:
        """Drop instances that have not come whole: the association has ended."""
        for message in (self._open, *self._ready):
            if message is not None and message.instance is not None:
                message.instance.discard()
        self._open = None
        self._ready.clear()

    def _data_fragment(self, data: bytes, *, last: bool) -> None:
        message = self._open
        if message is None:
            return
        self.taken += len(data)
        if message.instance is not None:
            message.instance.write(data)
            if last:
                self._open = None
                self._ready.append(message)
            return
        self._dataset += data
        if len(self._dataset) > _MAX_DATASET:
            raise ProtocolViolation(f"{self._name} sends a data set that is too long")
        if last:
            self._open = None
            self._ready.append(Message(message.context_id, message.command, bytes(self._dataset)))
