"""Lines of the ledger as records."""

from dataclasses import dataclass
from typing import Self
from xml.etree import ElementTree as ET

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.store.ledger import stamp
from pacs_ai.store.schema import LedgerLine
from pacs_ai.store.selection import Filter


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """A line of the ledger, with the main parts of its message.

    ``outcome`` is 0 for success, 4 for a minor and 8 for a serious failure. ``user`` is who
    requested it, ``address`` from where; ``study`` is a row id, None if it is about no study.
    """

    number: int
    at: str
    event: str
    type: str
    action: str
    outcome: str
    user: str
    address: str
    study: int | None
    description: str
    node: str
    hash: str
    message: str

    @classmethod
    def of(cls, line: LedgerLine) -> Self:
        """Make the record of a line; parts of a message that cannot be read are empty."""
        try:
            message = ET.fromstring(line.message)  # noqa: S314 - this node wrote it
        except ET.ParseError:
            message = ET.Element("none")
        event = message.find("EventIdentification")
        event = ET.Element("none") if event is None else event
        who = message.find("ActiveParticipant[@UserIsRequestor='true']")
        who = ET.Element("none") if who is None else who
        types = [code.get("originalText", "") for code in event.findall("EventTypeCode")]
        named = event.find("EventID")
        return cls(
            number=line.number,
            at=f"{line.at.replace(' ', 'T')}Z",
            event="" if named is None else named.get("originalText", ""),
            type=types[-1] if types else "",
            action=event.get("EventActionCode", ""),
            outcome=event.get("EventOutcomeIndicator", ""),
            user=who.get("UserID", ""),
            address=who.get("NetworkAccessPointID", ""),
            study=line.study_id or None,
            description=event.findtext("EventOutcomeDescription") or "",
            node=line.node,
            hash=line.hash,
            message=line.message,
        )


def lines(session: Session, wanted: Filter) -> list[LedgerRecord]:
    """Return lines, the newest first; study, times and limit of the filter count."""
    query = sa.select(LedgerLine)
    if wanted.study is not None:
        query = query.where(LedgerLine.study_id == wanted.study)
    if wanted.since:
        query = query.where(LedgerLine.at >= stamp(wanted.since))
    if wanted.before:
        query = query.where(LedgerLine.at < stamp(wanted.before))
    query = query.order_by(LedgerLine.number.desc()).limit(wanted.limit)
    return [LedgerRecord.of(line) for line in session.scalars(query)]
