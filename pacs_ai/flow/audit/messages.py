"""Which audit message an event becomes (PS3.15 Section A.5.3)."""

from collections.abc import Mapping
from dataclasses import dataclass

from pacs_ai.audit_message import (
    APPLICATION,
    DCM,
    DESTINATION,
    LOCAL,
    SOURCE,
    Action,
    AuditMessage,
    Code,
    Outcome,
    Participant,
    Subject,
    patient_subject,
    study_subject,
)
from pacs_ai.config import Config, DimsePeer, Peer
from pacs_ai.flow.audit.facts import Facts
from pacs_ai.store.operator import ACTOR

_ACTIVITY = Code("110100", DCM, "Application Activity")
_LOG_USED = Code("110101", DCM, "Audit Log Used")
_BEGIN = Code("110102", DCM, "Begin Transferring DICOM Instances")
_ACCESSED = Code("110103", DCM, "DICOM Instances Accessed")
_TRANSFERRED = Code("110104", DCM, "DICOM Instances Transferred")
_DELETED = Code("110105", DCM, "DICOM Study Deleted")
_EXPORT = Code("110106", DCM, "Export")
_QUERY = Code("110112", DCM, "Query")
_LOGGED_IN = Code("110114", DCM, "User Authentication")
_ALERT = Code("110113", DCM, "Security Alert")

_START = Code("110120", DCM, "Application Start")
_STOP = Code("110121", DCM, "Application Stop")
_LOGIN = Code("110122", DCM, "Login")
_AUTHENTICATION = Code("110126", DCM, "Node Authentication")
_SOFTWARE = Code("110131", DCM, "Software Configuration")
_SECURITY = Code("110129", DCM, "Security Configuration")
_RESTRICTED = Code("110132", DCM, "Use of Restricted Function")
_USERS = Code("110137", DCM, "User Security Attributes Changed")

_ENDED = ("SUCCEEDED", "FAILED", "REJECTED")
_FAILURES: Mapping[str, Outcome] = {
    **dict.fromkeys(("WAITING", "REJECTED", "REFUSED", "CONFLICT"), 4),
    "FAILED": 8,
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """The event of the standard, its action and its type."""

    event: Code
    action: Action
    type: Code | None = None


_KINDS: Mapping[tuple[str, str], _Kind] = {
    ("study", "RECEIVING"): _Kind(_BEGIN, "E"),
    ("study", "COMPLETE"): _Kind(_TRANSFERRED, "C"),
    ("study", "PURGED"): _Kind(_DELETED, "D"),
    ("study", "DELETED"): _Kind(_DELETED, "D"),
    ("job", "SUCCEEDED"): _Kind(_ACCESSED, "R"),
    ("delivery", "STORED"): _Kind(_TRANSFERRED, "R"),
    ("delivery", "COMMITTED"): _Kind(_TRANSFERRED, "R"),
    ("delivery", "FAILED"): _Kind(_TRANSFERRED, "R"),
    ("delivery", "WAITING"): _Kind(_TRANSFERRED, "R"),
    ("node", "STARTED"): _Kind(_ACTIVITY, "E", _START),
    ("node", "STOPPED"): _Kind(_ACTIVITY, "E", _STOP),
    ("configuration", "CHANGED"): _Kind(_ALERT, "E", _SOFTWARE),
    ("rules", "TAKEN"): _Kind(_ALERT, "E", _SOFTWARE),
    ("rules", "REFUSED"): _Kind(_ALERT, "E", _SOFTWARE),
    ("model", "ACTIVE"): _Kind(_ALERT, "E", _SOFTWARE),
    ("model", "DISABLED"): _Kind(_ALERT, "E", _SOFTWARE),
    ("model", "REMOVED"): _Kind(_ALERT, "E", _SOFTWARE),
    ("association", "REJECTED"): _Kind(_ALERT, "E", _AUTHENTICATION),
    ("database", "rekeyed"): _Kind(_ALERT, "E", _SECURITY),
    ("user", "VALID"): _Kind(_ALERT, "E", _USERS),
    ("user", "REMOVED"): _Kind(_ALERT, "E", _USERS),
    ("database", "BACKED_UP"): _Kind(_EXPORT, "R"),
    ("database", "RESTORED"): _Kind(_ALERT, "E", _SECURITY),
    ("audit", "READ"): _Kind(_LOG_USED, "R"),
    ("access", "READ"): _Kind(_ACCESSED, "R"),
    ("access", "SENT"): _Kind(_TRANSFERRED, "R"),
    ("query", "ASKED"): _Kind(_QUERY, "E"),
    ("retrieval", "ASKED"): _Kind(_QUERY, "E"),
    ("retrieval", "CANCELLED"): _Kind(_QUERY, "E"),
    ("pull", "DONE"): _Kind(_TRANSFERRED, "C"),
    ("pull", "FAILED"): _Kind(_TRANSFERRED, "C"),
    ("pull", "CANCELLED"): _Kind(_TRANSFERRED, "C"),
    ("request", "REFUSED"): _Kind(_ALERT, "E", _RESTRICTED),
    ("login", "DONE"): _Kind(_LOGGED_IN, "E", _LOGIN),
    ("login", "REFUSED"): _Kind(_LOGGED_IN, "E", _LOGIN),
    ("token", "VALID"): _Kind(_ALERT, "E", _USERS),
    ("token", "REVOKED"): _Kind(_ALERT, "E", _USERS),
    ("evidence", "WRITTEN"): _Kind(_EXPORT, "R"),
    ("export", "WRITTEN"): _Kind(_EXPORT, "R"),
}
"""By entity and new state; anything else is an access to the study that updates it."""

EVENTS = tuple(sorted({kind.event.meaning for kind in _KINDS.values()}))
"""The events of the standard that are told, by name."""


def message_of(facts: Facts, config: Config, node: str) -> AuditMessage:
    """Make the audit message of an event.

    Parameters
    ----------
    facts
        The event, and the rows that it is about.
    config
        Has the addresses of destinations, and the AE title of the node.
    node
        Name of the node that writes the message.
    """
    event = facts.event
    state = event.entity, event.to_state
    kind = _KINDS.get(state, _Kind(_ACCESSED, "U"))
    local = Code(f"{event.entity} {event.to_state}".strip(), LOCAL, _said(facts))
    types = (local,) if kind.type is None else (kind.type, local)
    ended_early = event.entity == "association" or state == ("pull", "CANCELLED")
    outcome: Outcome = 4 if ended_early else _FAILURES.get(event.to_state, 0)
    return AuditMessage(
        event=kind.event,
        action=kind.action,
        at=event.at,
        node=node,
        participants=_participants(facts, config, node),
        outcome=outcome,
        types=types,
        description=event.note,
        subjects=_subjects(facts),
    )


def _said(facts: Facts) -> str:
    """Say in words what happened."""
    event = facts.event
    if event.from_state and event.from_state != event.to_state:
        return f"{event.entity} {event.from_state} to {event.to_state}"
    return f"{event.entity} {event.to_state}".strip()


def _participants(facts: Facts, config: Config, node: str) -> tuple[Participant, ...]:
    event = facts.event
    if event.entity == "study" and event.to_state in ("RECEIVING", "COMPLETE") and facts.sent:
        asked_for = bool(event.user_name) or event.actor == ACTOR
        return (*_senders(facts), *_actor(facts, node, requestor=asked_for))
    if event.to_state == "SENT":
        who = event.user_name or event.actor
        there = Participant(who, requestor=True, role=DESTINATION, address=event.address)
        return (there, Participant(node, requestor=False, role=SOURCE))
    if facts.delivery is not None:
        there = _peer(config, facts.delivery.destination, DESTINATION)
        return (*_actor(facts, node, requestor=True), there)
    if facts.pull is not None:
        who = event.user_name or facts.pull.user_name or event.actor
        asked = Participant(who, requestor=True, address=event.address)
        here = Participant(node, requestor=False, role=DESTINATION)
        return (asked, _peer(config, facts.pull.peer, SOURCE), here)
    if event.entity in ("query", "retrieval") and event.entity_id:
        there = _peer(config, event.entity_id, DESTINATION)
        return (*_actor(facts, node, requestor=True), there)
    return _actor(facts, node, requestor=True)


def _peer(config: Config, name: str, role: Code) -> Participant:
    """Return the other side of a transfer or a query."""
    title, host = _address(config.peers.get(name))
    return Participant(name, requestor=False, role=role, title=title, address=host)


def _address(peer: Peer | None) -> tuple[str, str]:
    """Return AE title and host of a destination; "" for what it does not have."""
    if peer is None:
        return "", ""
    return peer.ae_title if isinstance(peer, DimsePeer) else "", peer.host_name


def _senders(facts: Facts) -> tuple[Participant, ...]:
    """Return who has sent instances, each sender and the title that it called once."""
    ways = dict.fromkeys((one.calling_aet, one.called_aet, one.address) for one in facts.sent)
    found: list[Participant] = []
    for calling, called, address in ways:
        found.append(_caller(calling, address))
        if called:
            found.append(Participant(called, requestor=False, role=DESTINATION, title=called))
    return tuple(found)


def _caller(title: str, address: str) -> Participant:
    name = title or "unknown"
    return Participant(name, requestor=True, role=SOURCE, title=title, address=address)


def _actor(facts: Facts, node: str, *, requestor: bool) -> tuple[Participant, ...]:
    """Return who acted: a person by an account, a peer by its title, or a process of the node."""
    event = facts.event
    if event.entity == "association":
        address, _, _ = event.note.partition(": ")
        return (_caller(event.entity_id, address),)
    if event.user_name:
        name = event.user_name
        person = Participant(name, requestor=requestor, name=name, address=event.address)
        return (person, Participant(node, requestor=False, role=APPLICATION))
    who = event.actor or node
    return (Participant(who, requestor=requestor, role=APPLICATION, address=event.address),)


def _subjects(facts: Facts) -> tuple[Subject, ...]:
    study, details = facts.study, {}
    if facts.job is not None:
        job = facts.job
        details = {
            "job": job.id,
            "model": f"{job.model_name} {job.model_version}",
            "manifest sha256": job.manifest_sha256,
            "rules": ", ".join(job.rules),
        }
        if facts.event.entity == "job" and facts.event.to_state in _ENDED:
            details |= {"said": job.summary, "error": job.error_code}
    if facts.result is not None:
        details |= {
            "kind": facts.result.kind,
            "SOP Instance UID": facts.result.sop_instance_uid,
            "digest": facts.result.digest,
        }
    if study is None and facts.pull is not None:
        pull = facts.pull
        return (study_subject(pull.study_instance_uid, f"pull {pull.id}", {}, {}),)
    if study is None:
        return ()
    instances: dict[str, int] = {}
    for one in facts.sent:
        instances[one.sop_class_uid] = instances.get(one.sop_class_uid, 0) + one.instances
    if facts.result is not None and facts.result.sop_class_uid:
        instances = {facts.result.sop_class_uid: 1}
    kept = {name: text for name, text in details.items() if text}
    return (
        patient_subject(study.patient_key),
        study_subject(
            study.study_instance_uid,
            f"study {study.id} revision {study.revision}",
            kept,
            instances,
        ),
    )
