"""The IHE integration statement: profiles, actors and transactions, made from what the code does.

``pacs-ai conformance --ihe`` prints it.
"""

from collections.abc import Iterator, Sequence

from pacs_ai import __version__
from pacs_ai.cli.markdown import table
from pacs_ai.config.peer_kinds import PEER_KINDS
from pacs_ai.domain import ResultKind
from pacs_ai.flow.audit.messages import EVENTS
from pacs_ai.net.conformance import services
from pacs_ai.net.contexts import STORAGE_CLASSES
from pacs_ai.results.kinds import KINDS, Objects

_EVIDENCE = (ResultKind.REPORT, ResultKind.REGION)
_KEY_OBJECTS = (ResultKind.KEY_OBJECT,)

_PRIMITIVES = {
    ResultKind.REPORT: "root result; qualitative findings, measurements, locations (points)",
    ResultKind.REGION: "locations (outlines)",
    ResultKind.MAP: "parametric map",
    ResultKind.SEG: "segmentation",
    ResultKind.LABEL_MAP: "segmentation",
    ResultKind.KEY_OBJECT: "key images",
}
"""What AIR calls a result. It has no word for what people alone can read."""

_DOCUMENTS = {
    ResultKind.HL7: "ORU^R01 of HL7 v2.5.1, in the form of Send Imaging Result [RAD-128]",
    ResultKind.FHIR: "transaction of FHIR R4: DiagnosticReport, Observation, Device, Provenance, "
    "DocumentReference; labels and Provenance after the HL7 guide AI Transparency on FHIR, Device "
    "and identifiers after DICOM SR to FHIR Resource Mapping",
}
"""What a document is to others."""

_NOT = (
    ("AI Workflow for Imaging (AIW-I)", "Task Performer", "no Unified Procedure Step"),
    ("Scheduled Workflow (SWF.b)", "Acquisition Modality", "no worklist and no MPPS"),
    ("AI Results (AIR)", "Image Display", "the page shows only what this node holds"),
)


def statement() -> str:
    """Return the statement as Markdown."""
    parts = (_introduction(), _claims(), _messages(), _others())
    return "\n".join(line for part in parts for line in part)


def _introduction() -> Iterator[str]:
    yield "# IHE integration statement"
    yield ""
    yield f"Of pacs-ai {__version__}, printed by `pacs-ai conformance --ihe` (here a copy that a"
    yield "test keeps the same). It is the developers' own statement: the program was not at a"
    yield "Connectathon. pacs-ai is for research; it is not a medical device. What it does on the"
    yield "network in detail is in the [DICOM conformance statement](conformance.md)."
    yield ""


def _claims() -> Iterator[str]:
    yield "## Profiles and actors"
    yield ""
    images = [k for k in _PRIMITIVES if k not in (*_EVIDENCE, *_KEY_OBJECTS)]
    commitment = next(one.name for one in services() if one.scu and "Commitment" in one.name)
    air, atna = "AI Results (AIR)", "Audit Trail and Node Authentication (ATNA)"
    rows = [
        (air, "Evidence Creator", "Evidence Documents Stored [RAD-43]", _classes(_EVIDENCE)),
        (air, "Evidence Creator", "Creator Images Stored [RAD-18]", _classes(images)),
        (air, "Evidence Creator", "Key Image Note Stored [RAD-29]", _classes(_KEY_OBJECTS)),
        (air, "Evidence Creator", "Storage Commitment [RAD-10]", f"{commitment}, as SCU"),
        (atna, "Secure Application", "Authenticate Node [ITI-19]", "TLS as in BCP 195, `[tls]`"),
        (
            atna,
            "Secure Application",
            "Record Audit Event [ITI-20]",
            "syslog over TLS (RFC 5425), `[audit] syslog`: " + ", ".join(EVENTS),
        ),
    ]
    yield from table(("Profile", "Actor", "Transaction", "By"), rows)
    yield "AIR is the profile of Rev. 1.3 of the supplement, for trial implementation. `pacs-ai"
    yield "check` compares results of any maker with it and with DICOM, rule by rule; the results"
    yield "of this node keep all of these [rules](air-rules.md)."
    yield ""
    yield from table(("Result", "What it is for AIR", "SOP class"), list(_results()))
    yield "A report is sent as Comprehensive SR to an archive that does not take Comprehensive 3D"
    yield "SR. The clock is that of the system: let it be set by NTP, as Consistent Time (CT) asks"
    yield "of a Time Client."
    yield ""


def _results() -> Iterator[tuple[str, str, str]]:
    beside = "beside the others, for people: no result of its own"
    for kind in _objects():
        yield f"`{kind}`", _PRIMITIVES.get(kind, beside), _classes([kind])


def _messages() -> Iterator[str]:
    yield "## Messages"
    yield ""
    yield "Beside DICOM objects, and as part of no profile that is claimed here:"
    yield ""
    rows = [(f"`{kind}`", said, _peers(kind)) for kind, said in _DOCUMENTS.items()]
    yield from table(("Result", "What it is", "Sent to peers of the kind"), rows)


def _peers(kind: ResultKind) -> str:
    """Name the kinds of peers that take a document."""
    return ", ".join(f"`{name}`" for name, peer in PEER_KINDS.items() if kind in peer.takes)


def _others() -> Iterator[str]:
    yield "## Not claimed"
    yield ""
    yield from table(("Profile", "Actor", "Why"), _NOT)


def _objects() -> dict[ResultKind, str]:
    return {
        kind: maker.sop_class_uid for kind, maker in KINDS.items() if isinstance(maker, Objects)
    }


def _classes(kinds: Sequence[ResultKind]) -> str:
    """Name the SOP classes of kinds of results, each once."""
    objects = _objects()
    return ", ".join(dict.fromkeys(STORAGE_CLASSES[objects[kind]] for kind in kinds))
