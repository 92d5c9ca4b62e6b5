"""One association from connection to close, in one thread (PS3.8 Section 9.2)."""

import math
import time
import uuid
from collections.abc import Callable, Mapping

from pacs_ai.net import pdu
from pacs_ai.net.contexts import ContextPolicy
from pacs_ai.net.faults import AbortReason, ConnectionCut, ConnectionGone, ProtocolViolation
from pacs_ai.net.scp.access import asks_itself, refusal
from pacs_ai.net.scp.admission import Admission
from pacs_ai.net.scp.associate_request import AssociateRequest, decode_request
from pacs_ai.net.scp.authentication import identified
from pacs_ai.net.scp.connection import Connection
from pacs_ai.net.scp.handlers import AssociationInfo, CommitmentProvider, StorageHandlers
from pacs_ai.net.scp.message_assembly import MessageAssembly
from pacs_ai.net.scp.negotiation import negotiate
from pacs_ai.net.scp.operations import OperationServices, Reports
from pacs_ai.net.scp.rate_limited_log import limited_log
from pacs_ai.net.scp.settings import ServerSettings
from pacs_ai.net.scp.states import PDU_EVENTS, TRANSITIONS, Action, Event, Outcome, State

_PDATA_GRACE = 64 << 10
"""By how much a P-DATA-TF may exceed the announced maximum: some peers count differently."""
_MAX_CONTROL_PDU = 1 << 20
"""Largest body of any PDU but P-DATA-TF."""
_PROGRESS = 4096
"""Bytes of payload that count as progress; fewer do not renew the idle deadline."""
_RELEASE_BODY = 4
_UNEXPECTED = ProtocolViolation("unexpected PDU", AbortReason.UNEXPECTED_PDU)


class Association:
    """Serves one connection; `run` is what its thread does.

    Parameters
    ----------
    connection
        The connection.
    settings
        Limits and names.
    handlers
        Store what arrives.
    provider
        Answers storage commitment; None: the node gives none.
    admission
        Limits the number of associations.
    """

    _request: AssociateRequest
    _assembly: MessageAssembly
    _identified: bool

    def __init__(
        self,
        connection: Connection,
        settings: ServerSettings,
        handlers: StorageHandlers,
        provider: CommitmentProvider | None,
        admission: Admission,
    ) -> None:
        self.connection = connection
        self.stopping = False
        self.idle_since = math.inf
        self._buffer = connection.buffer
        self._settings = settings
        self._handlers = handlers
        self._provider = provider
        self._admission = admission
        self._state = State.AWAIT_REQUEST
        self._length = 0
        self._rejection = pdu.RejectReason.NO_REASON
        self._violation = _UNEXPECTED
        self._info: AssociationInfo | None = None
        self._idle_deadline = 0.0
        self._progress = 0

    @property
    def busy(self) -> bool:
        """Tell whether a message is under way; any thread may ask."""
        return self._info is not None and self._assembly.busy

    def run(self) -> None:
        """Run the state machine until the connection is closed."""
        event: Event | None = None
        try:
            while self._state is not State.IDLE:
                event = self._step(event)
        finally:
            self._end(Outcome.FAILED)
            self.connection.close()

    def _step(self, event: Event | None) -> Event | None:
        """Perform the transition of an event, or of the next one from the peer."""
        try:
            event = event or self._next_event()
            action, self._state = TRANSITIONS[self._state, event]
            return self._ACTIONS[action](self)
        except ConnectionGone:
            return Event.CLOSED
        except ConnectionCut:
            return Event.EXPIRED
        except ProtocolViolation as violation:
            self._violation = violation
            return Event.VIOLATION

    def _next_event(self) -> Event:
        """Wait for the next PDU, and check its header before its body is read."""
        buffer = self._buffer
        if self._state is State.AWAIT_REQUEST:
            self.connection.handshake()
        while self._state is State.AWAIT_CLOSE:
            buffer.drop()
        if self._state is State.ESTABLISHED:
            self._renew_idle()
            buffer.await_byte()
            buffer.deadline = time.monotonic() + self._settings.pdu_seconds
        kind, self._length = buffer.pdu_header()
        event = PDU_EVENTS.get(kind, Event.UNKNOWN_PDU)
        if event is Event.UNKNOWN_PDU:
            raise ProtocolViolation("unknown PDU", AbortReason.UNRECOGNIZED_PDU)
        limit = _MAX_CONTROL_PDU
        if event is Event.P_DATA:
            limit = self._settings.max_pdu + _PDATA_GRACE
        if self._length > limit:
            raise ProtocolViolation("PDU longer than agreed")
        return event

    def _renew_idle(self) -> None:
        """Renew the idle deadline after a message, or after some progress of one."""
        assembly = self._assembly
        if self.stopping and not assembly.busy:
            self.connection.cut(Outcome.STOPPED)
            raise ConnectionCut("the node stops")
        mark = assembly.messages * _PROGRESS + assembly.payload
        if mark - self._progress >= _PROGRESS:
            self._progress = mark
            self.idle_since = time.monotonic()
            self._idle_deadline = self.idle_since + self._settings.idle_seconds
        self._buffer.deadline = self._idle_deadline

    # ---- actions, by their names in PS3.8 Tables 9-6 to 9-9 -------------------------------

    def _decide(self) -> Event | None:
        """AE-6: accept or refuse the request."""
        self._request = request = decode_request(self._buffer.take(self._length))
        settings, connection, admission = self._settings, self.connection, self._admission
        users = None if settings.users is None else settings.users()
        self._identified = users is not None
        if asks_itself(request, connection.peer_ip, connection.local_ip, settings):
            return Event.ACCEPTED
        reason = refusal(request, connection.peer_ip, settings)
        if reason is None and not identified(admission.attempts, request, users, connection):
            reason = pdu.RejectReason.NO_REASON  # PS3.8 Table 9-21 has none for this
        if reason is None and not admission.admit(self):
            reason = pdu.RejectReason.LOCAL_LIMIT
        if reason is None:
            return Event.ACCEPTED
        self._rejection = reason
        return Event.REJECTED

    def _accept(self) -> Event | None:
        """AE-7: negotiate and answer."""
        request, settings = self._request, self._settings
        policy = ContextPolicy(settings.accept_unknown, self._provider is not None)
        agreement = negotiate(request, policy, settings.max_pdu, identified=self._identified)
        info = AssociationInfo(
            id=str(uuid.uuid4()),
            calling_aet=request.calling_aet,
            called_aet=request.called_aet,
            peer_ip=self.connection.peer_ip,
            started=time.monotonic(),
        )
        services = OperationServices(
            info=info,
            handlers=self._handlers,
            provider=self._provider,
            max_instance=settings.max_instance,
            max_identifier=settings.max_identifier,
            send=self._send_message,
            reports=Reports(),
        )
        self._buffer.enlarge()
        self._assembly = MessageAssembly(
            self._buffer, services, agreement.contexts, settings.max_command
        )
        self._handlers.opened(info)
        self._info = info
        self.idle_since = time.monotonic()
        self.connection.send(agreement.pdu, settings.pdu_seconds)
        self._idle_deadline = time.monotonic() + settings.idle_seconds
        return None

    def _reject(self) -> Event | None:
        """AE-8: reject, then wait for the peer to close."""
        request = self._request
        limited_log.warning(
            "association rejected",
            peer=self.connection.peer_ip,
            calling_aet=request.calling_aet,
            called_aet=request.called_aet,
            reason=self._rejection.name.lower(),
        )
        self._send_last(pdu.reject(self._rejection), Outcome.VIOLATION)
        reason, address = self._rejection.name.lower(), self.connection.peer_ip
        self._handlers.rejected(request.calling_aet, address, reason)
        return None

    def _transfer(self) -> Event | None:
        """DT-2: take a P-DATA-TF."""
        self._assembly.transfer(self._length)
        return None

    def _indicate_release(self) -> Event | None:
        """AR-2: accept the release, unless the peer is in the middle of a message."""
        if self._length != _RELEASE_BODY:
            raise ProtocolViolation("A-RELEASE-RQ of wrong length")
        if self._assembly.busy:
            raise ProtocolViolation("release in a message", AbortReason.UNEXPECTED_PDU)
        self._buffer.take(_RELEASE_BODY)
        return Event.RELEASING

    def _release(self) -> Event | None:
        """AR-4: answer the release."""
        self._admission.end_association(self)
        self._send_last(pdu.RELEASE_RP, Outcome.RELEASED)
        return None

    def _close(self) -> Event | None:
        """AA-2, AA-5, AR-5: close."""
        return None

    def _peer_aborted(self) -> Event | None:
        """AA-3: the peer aborted."""
        self._end(Outcome.ABORTED)
        return None

    def _peer_lost(self) -> Event | None:
        """AA-4: the connection is gone."""
        self._end(Outcome.LOST)
        return None

    def _abort(self) -> Event | None:
        """AA-8: abort as service provider."""
        outcome, reason = Outcome.VIOLATION, self._violation.reason
        if self._buffer.cut:
            outcome, reason = self.connection.cut_by, AbortReason.NOT_SPECIFIED
        else:
            limited_log.warning(
                "association aborted",
                peer=self.connection.peer_ip,
                rule=self._violation.message,
            )
        self._send_last(pdu.abort(reason), outcome)
        return None

    # ---- common to several actions --------------------------------------------------------

    def _send_message(self, context_id: int, command: bytes, dataset: bytes | None) -> None:
        """Send a message in fragments that the peer takes, all in one write."""
        data = pdu.message(context_id, command, dataset, self._request.max_pdu)
        self.idle_since = time.monotonic()  # a peer that has its answer never looks idle
        self.connection.send(data, self._settings.pdu_seconds)

    def _send_last(self, data: bytes, outcome: Outcome) -> None:
        """Send our last PDU, end the association, and give the peer time to close.

        If we closed at once with bytes unread, the peer might never see that PDU. After a release
        the requestor closes first (PS3.8 Table 9-10, AR-3); else our side sends no more.
        """
        try:
            self.connection.send(data, self._settings.closing_seconds)
            if outcome is not Outcome.RELEASED:
                self.connection.half_close()
        finally:
            self._end(outcome)
            self._buffer.deadline = time.monotonic() + self._settings.closing_seconds

    def _end(self, outcome: Outcome) -> None:
        """End the association, if there is one that has not ended."""
        self._admission.end_association(self)
        info, self._info = self._info, None
        if info is None:
            return
        self._assembly.abandon()
        self._handlers.closed(info, outcome)

    _ACTIONS: Mapping[Action, Callable[["Association"], Event | None]] = {
        Action.DECIDE: _decide,
        Action.ACCEPT: _accept,
        Action.REJECT: _reject,
        Action.TRANSFER: _transfer,
        Action.INDICATE_RELEASE: _indicate_release,
        Action.RELEASE: _release,
        Action.CLOSE: _close,
        Action.PEER_ABORTED: _peer_aborted,
        Action.PEER_LOST: _peer_lost,
        Action.ABORT: _abort,
    }
