"""A FHIR server as a destination: each document is a transaction (FHIR R4, 3.1.0.11)."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from pacs_ai.destinations.base import DeliveryAnswer, DeliveryOutcome, MayLeave, OutgoingFile
from pacs_ai.errors import PeerError, PeerUnreachable, StorageError
from pacs_ai.net.http.address import WebAddress
from pacs_ai.net.http.ask import ask
from pacs_ai.uids import NAMESPACE, derived_uid

_FHIR = "application/fhir+json"
_TASK_SYSTEM = "urn:ietf:rfc3986"


class FhirDestination:
    """Posts each bundle. Its entries are conditional updates: a second post changes nothing.

    Parameters
    ----------
    address
        Its ``url`` is the base of the server.
    task
        Whether a Task is added that asks somebody to look at the report at once.
    """

    def __init__(self, address: WebAddress, *, task: bool) -> None:
        self._address = address
        self._task = task

    def deliver(
        self, files: Sequence[OutgoingFile], may_leave: MayLeave
    ) -> Sequence[DeliveryOutcome]:
        """Post each bundle."""
        return [
            self._post(file) if may_leave(file) else DeliveryOutcome(DeliveryAnswer.WITHHELD)
            for file in files
        ]

    def probe(self) -> None:
        """Ask what the server can do."""
        ask(self._address, "GET", "/metadata", headers={"Accept": _FHIR})

    def _post(self, file: OutgoingFile) -> DeliveryOutcome:
        try:
            content = file.path.read_bytes()
        except OSError as error:
            unread = StorageError(f"{file.path} cannot be read: {error.strerror}")
            return DeliveryOutcome(DeliveryAnswer.NOT_NOW, unread)
        if self._task:
            content = with_task(content)
        try:
            headers = {"Content-Type": _FHIR, "Accept": _FHIR}
            ask(self._address, "POST", content=content, headers=headers)
        except PeerError as error:
            answer = DeliveryAnswer.NOT_NOW if error.retryable else DeliveryAnswer.REFUSED
            lost = isinstance(error, PeerUnreachable)
            return DeliveryOutcome(answer, error, unanswered=lost)
        return DeliveryOutcome(DeliveryAnswer.STORED)


def with_task(bundle: bytes) -> bytes:
    """Return a bundle of ours with a Task (FHIR R4) that asks for a look at its report at once.

    It is a conditional update by an identifier made of that of the report, as the other entries.
    """
    content: dict[str, Any] = json.loads(bundle)
    report = next(
        one for one in content["entry"] if one["resource"]["resourceType"] == "DiagnosticReport"
    )
    resource = report["resource"]
    named = resource["identifier"][0]["value"]
    value = f"urn:oid:{derived_uid('task', named)}"
    task = {
        "resourceType": "Task",
        "identifier": [{"system": _TASK_SYSTEM, "value": value}],
        "status": "requested",
        "intent": "order",
        "priority": "stat",
        "description": "Look at this result of an AI model at once.",
        "focus": {"reference": report["fullUrl"]},
        "for": resource.get("subject"),
        "authoredOn": resource.get("issued"),
    }
    content["entry"].append(
        {
            "fullUrl": f"urn:uuid:{uuid.uuid5(NAMESPACE, value)}",
            "resource": {key: one for key, one in task.items() if one is not None},
            "request": {"method": "PUT", "url": f"Task?identifier={_TASK_SYSTEM}|{value}"},
        }
    )
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode("utf-8")
