"""Associations that the node requests: one thread, one request at a time, and a time limit."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial

from pacs_ai.errors import (
    AssociationAborted,
    PeerError,
    PeerUnreachable,
)
from pacs_ai.net.dimse import RESPONSE, Command, Element, encode_cancel, encode_response
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.pdu import RELEASE_RP, RELEASE_RQ, USER_ABORT, PduType, abort, fragments, message
from pacs_ai.net.scu.cancelling import Cancelling
from pacs_ai.net.scu.message_reader import BeginInstance, Message, MessageReader
from pacs_ai.net.scu.negotiation import (
    Acceptance,
    AgreedContext,
)
from pacs_ai.net.scu.pdu_stream import NoAnswerInTime, PduStream
from pacs_ai.net.status import PENDING, Status

_RELEASE_SECONDS = 5.0
"""For the answer to our release; no result depends on it any more."""
_MAX_MESSAGE_ID = 0xFFFF
_LARGEST = 128 << 10
"""Bytes of the largest P-DATA-TF that we send: larger ones need memory and are not faster."""


Serve = Callable[[AgreedContext, Message], bytes]
"""Performs a request of the peer on our association; returns the encoded response."""


class RequestedAssociation:
    """An association that we requested.

    Attributes
    ----------
    contexts
        The accepted presentation contexts.
    all_sent
        Whether the last request was sent to its last byte.
    answers
        How many of our requests the peer has answered.

    Parameters
    ----------
    stream
        The connection.
    acceptance
        What the peer accepted.
    timeout
        Seconds for the peer to take anything that is sent, and to answer.
    serve
        Performs requests of the peer; None refuses them.
    begin_instance
        Takes instances that the peer sends; None if none are asked for.
    """

    def __init__(
        self,
        stream: PduStream,
        acceptance: Acceptance,
        timeout: float,
        serve: Serve | None,
        begin_instance: BeginInstance | None = None,
    ) -> None:
        self.contexts = acceptance.contexts
        self.all_sent = False
        self.answers = 0
        self._stream = stream
        self._timeout = timeout
        self._serve = serve
        self._max_pdu = min(acceptance.max_pdu or _LARGEST, _LARGEST)
        self._reader = MessageReader(stream.name, begin_instance)
        self._last_id = 0

    @property
    def certificate(self) -> bytes | None:
        """The certificate that the peer has shown, DER encoded; None without TLS."""
        return self._stream.certificate

    @property
    def peer_ip(self) -> str:
        """Address of the peer; "" if the connection is gone."""
        return self._stream.peer_ip

    @property
    def taken(self) -> int:
        """Bytes of data sets that the peer has sent."""
        return self._reader.taken

    @property
    def is_silent(self) -> bool:
        """Whether the peer has sent nothing since its last answer, and has not disconnected."""
        return self._stream.is_silent()

    def context(self, number: int) -> AgreedContext | None:
        """Return an accepted context by its id; None if there is none of that id."""
        return next((one for one in self.contexts if one.id == number), None)

    def next_id(self) -> int:
        """Return the message id for the next request."""
        self._last_id = self._last_id % _MAX_MESSAGE_ID + 1
        return self._last_id

    def ask(
        self,
        context: AgreedContext,
        command: bytes,
        dataset: Iterable[bytes] = (),
        more_seconds: float = 0,
    ) -> Command:
        """Send a request and wait for its response.

        Parameters
        ----------
        context
            One of `contexts`.
        command
            Encoded command set, with the last id of `next_id`.
        dataset
            The data set in pieces.
        more_seconds
            What the answer is given on top of the usual time.

        Raises
        ------
        PeerError
            If the association ends before, or the peer does not answer in time.
        """
        self._send(context, command, dataset)
        return self._response(time.monotonic() + self._timeout + more_seconds).command

    def find(
        self,
        context: AgreedContext,
        command: bytes,
        dataset: bytes,
        still_coming: Callable[[], bool] | None = None,
        unwanted: Callable[[], bool] | None = None,
    ) -> Iterator[Message]:
        """Send a C-FIND, C-MOVE or C-GET request, and yield its responses to the one that ends it.

        Parameters and errors are those of `ask`; the peer has the usual time for each response.

        Parameters
        ----------
        still_coming
            Asked at the end of that time: the peer gets it once more where the answer is yes.
        unwanted
            Asked meanwhile: where the answer is yes, the request is cancelled. The peer ends it
            with a response of its own, or it is aborted after a while.
        """
        self._send(context, command, [dataset])
        cancelling = None
        if unwanted is not None:
            cancelling = Cancelling(self._stream.name, unwanted, partial(self._cancel, context))
        while True:
            deadline = time.monotonic() + self._timeout
            got = self._response(deadline, still_coming, cancelling)
            yield got
            if got.command.status not in PENDING:
                return

    def _send(self, context: AgreedContext, command: bytes, dataset: Iterable[bytes]) -> None:
        self.all_sent = False
        self._stream.send(message(context.id, command, None, self._max_pdu), self._timeout)
        for piece in fragments(context.id, dataset, self._max_pdu):
            self._stream.send(piece, self._timeout)
        self.all_sent = True

    def _cancel(self, context: AgreedContext) -> None:
        command = encode_cancel(self._last_id)
        self._stream.send(message(context.id, command, None, self._max_pdu), self._timeout)

    def _response(
        self,
        deadline: float,
        still_coming: Callable[[], bool] | None = None,
        cancelling: Cancelling | None = None,
    ) -> Message:
        """Wait for the response to the last request; others may come before it."""
        other: int | None = None
        while True:
            look = deadline if cancelling is None else cancelling.look()
            try:
                got = self._message(min(deadline, look))
            except NoAnswerInTime as error:
                if time.monotonic() < deadline:
                    continue
                if still_coming is not None and still_coming():
                    deadline = time.monotonic() + self._timeout
                    continue
                if other is None:
                    raise
                text = f"{self._stream.name} answers message {other} instead of {self._last_id}"
                raise ProtocolViolation(text) from error
            answered = got.command.number(Element.ANSWERED_ID)
            if got.is_response and answered in (None, self._last_id):
                self.answers += 1
                return got
            if got.is_response:
                other = answered

    def listen(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Answer requests of the peer until ``enough``, for a number of seconds at most."""
        deadline = time.monotonic() + seconds
        with suppress(AssociationAborted, PeerUnreachable):
            while not enough():
                self._message(deadline)

    def release(self, seconds: float = _RELEASE_SECONDS) -> None:
        """Release and disconnect; a peer that disconnects without an answer is fine.

        Parameters
        ----------
        seconds
            How long to wait for the answer at most.
        """
        seconds = min(self._timeout, seconds)
        with closing(self._stream), suppress(PeerError):
            self._stream.send(RELEASE_RQ, seconds)
            deadline = time.monotonic() + seconds
            while True:
                kind, _ = self._stream.receive(deadline)
                if kind is PduType.RELEASE_RP:
                    return
                if kind is PduType.RELEASE_RQ:  # both at once (PS3.8 Section 9.2.2, Sta9)
                    self._stream.send(RELEASE_RP, seconds)

    def aborted_on_error(self) -> AbstractContextManager[None]:
        """Abort and disconnect if the block ends with an error."""
        return aborted_on_error(self._stream)

    def abandon(self) -> None:
        """Drop instances that have not come whole."""
        self._reader.abandon()

    def _message(self, deadline: float) -> Message:
        """Return the peer's next message; if it is a request, it is answered by then."""
        while True:
            for got in self._reader.messages:
                if not got.is_response:
                    self._answer(got)
                return got
            kind, body = self._stream.receive(deadline)
            if kind is PduType.P_DATA:
                self._reader.take(body)
            elif kind is PduType.RELEASE_RQ:
                self._stream.send(RELEASE_RP, self._timeout)
                raise AssociationAborted(f"{self._stream.name} released before it had answered")
            else:
                raise ProtocolViolation(f"{self._stream.name} sends {kind.name} out of place")

    def _answer(self, request: Message) -> None:
        context = self.context(request.context_id)
        field_ = request.command.number(Element.FIELD)
        if context is None or field_ is None:
            raise ProtocolViolation(f"{self._stream.name} asks what it may not")
        if self._serve is None:
            status = Status.UNRECOGNIZED_OPERATION
            response = encode_response(request.command, field_ & ~RESPONSE, status)
        else:
            response = self._serve(context, request)
        self._stream.send(message(context.id, response, None, self._max_pdu), self._timeout)


@contextmanager
def aborted_on_error(stream: PduStream) -> Iterator[None]:
    """Abort and disconnect if the block ends with an error."""
    try:
        yield
    except BaseException as error:
        with closing(stream):
            reason = error.reason if isinstance(error, ProtocolViolation) else None
            stream.abort(USER_ABORT if reason is None else abort(reason))
        raise
