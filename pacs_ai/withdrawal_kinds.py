"""Why results are withdrawn, and what tells a destination so."""

from enum import StrEnum


class RejectionReason(StrEnum):
    """Why results do not hold any more: the four reasons of IHE IOCM (RAD TF-1)."""

    QUALITY = "quality"
    PATIENT_SAFETY = "patient-safety"
    WORKLIST = "worklist"
    RETENTION = "retention"


class WithdrawalWay(StrEnum):
    """How a destination is told that results it has got do not hold any more."""

    NOTE = "note"
    """By a rejection note (Key Object Selection), which an archive with IHE IOCM obeys."""
    SUPERSEDE = "supersede"
    """By a report that takes the place of the withdrawn one, for archives that know no notes."""
    DELETE = "delete"
    """By deleting them there; the note is made and kept, and not sent."""


class Notice(StrEnum):
    """Kinds of results that tell a destination of a withdrawal: no model made them."""

    NOTE = "rejection"
    REPORT = "withdrawn report"
    HL7 = "withdrawn hl7"
    FHIR = "withdrawn fhir"
