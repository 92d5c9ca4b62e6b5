"""``pacs-ai conformance``: the DICOM conformance statement, made from what the code does."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from pacs_ai import __version__
from pacs_ai.cli import ihe
from pacs_ai.cli.conformance_feedback import feedback_section
from pacs_ai.cli.conformance_results import RESULTS, results_section
from pacs_ai.cli.markdown import table
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, read_config, single
from pacs_ai.cli.tables import print_json
from pacs_ai.config import Config
from pacs_ai.dicom.scan import BAD_UID, MISSING_UID
from pacs_ai.flow.duplicates import KEPT_BOTH, REFUSED
from pacs_ai.flow.receive import CLASS_MISMATCH, INSTANCE_MISMATCH, OUT_OF_RESOURCES, SUCCESS
from pacs_ai.net.conformance import (
    SopClass,
    TransferSyntax,
    services,
    storage_classes,
    transfer_syntaxes,
    uncompressed_syntaxes,
)
from pacs_ai.net.contexts import APPLICATION_CONTEXT
from pacs_ai.net.implementation import IMPLEMENTATION_VERSION
from pacs_ai.net.status import Status
from pacs_ai.uids import IMPLEMENTATION_CLASS_UID

app = single()

_MIB = 1 << 20
_STATUSES: tuple[tuple[int, str], ...] = (
    (SUCCESS, "The instance is on the disk and in the database; or was already, the same."),
    (OUT_OF_RESOURCES, "No disk space, or the database is out of reach: send it again."),
    (CLASS_MISMATCH, "The SOP Class UID of the data set differs from the command's."),
    (INSTANCE_MISMATCH, "The SOP Instance UID of the data set differs from the command's."),
    (BAD_UID, "A UID has other characters than digits and dots, or more than 64."),
    (MISSING_UID, "Study, Series or SOP Instance UID is missing."),
    (Status.CANNOT_UNDERSTAND, "The data set does not parse to its end."),
    (REFUSED.status, "The SOP Instance UID is known with other content; the first is kept."),
    (KEPT_BOTH.status, 'The same with `on_conflict = "keep_both"`: the second is set aside.'),
)


@app.command()
def _conformance(
    *,
    as_json: AsJson = False,
    of_ihe: Annotated[
        bool, typer.Option("--ihe", help="Print the IHE integration statement instead.")
    ] = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Print the DICOM conformance statement, as Markdown; of a node if --config names one."""
    settings = Config() if config is None else read_config(config, verbose=verbose)
    if of_ihe:
        print(ihe.statement(), end="")
    elif as_json:
        print_json(_facts(settings))
    else:
        print(statement(settings), end="")


def statement(config: Config) -> str:
    """Return the statement as Markdown."""
    parts = (
        _introduction(),
        _services(),
        _association(config),
        _statuses(),
        _dicomweb(),
        results_section(),
        feedback_section(),
        _syntaxes(transfer_syntaxes()),
        _classes(storage_classes()),
    )
    return "\n".join(line for part in parts for line in part)


def _facts(config: Config) -> dict[str, object]:
    return {
        "ae_title": config.node.ae_title,
        "max_pdu": config.limits.max_pdu,
        "implementation_class_uid": IMPLEMENTATION_CLASS_UID,
        "implementation_version": IMPLEMENTATION_VERSION,
        "services": [asdict(one) for one in services()],
        "storage_classes": [asdict(one) for one in storage_classes()],
        "transfer_syntaxes": [asdict(one) for one in transfer_syntaxes()],
        "statuses": {f"0x{status:04X}": meaning for status, meaning in _STATUSES},
        "results": RESULTS,
    }


def _introduction() -> Iterator[str]:
    yield "# DICOM conformance statement"
    yield ""
    yield f"Of pacs-ai {__version__}, printed by `pacs-ai conformance` (here it is a copy that a"
    yield "test keeps the same). It follows DICOM PS3.2 as far as a node without a user interface"
    yield "has something to state. pacs-ai is for research; it is not a medical device."
    yield ""
    yield from table(
        ("Implementation", "Value"),
        [
            ("Implementation Class UID", f"`{IMPLEMENTATION_CLASS_UID}`"),
            ("Implementation Version Name", f"`{IMPLEMENTATION_VERSION}`"),
            ("Application Context", f"`{APPLICATION_CONTEXT}`"),
        ],
    )


def _services() -> Iterator[str]:
    yield "## Services"
    yield ""
    rows = [(one.name, f"`{one.uid}`", _yes(one.scu), _yes(one.scp)) for one in services()]
    rows.append(("Storage, all classes below", "see below", "yes", "yes"))
    yield from table(("SOP class", "UID", "SCU", "SCP"), rows)
    yield "- **Storage as SCP**: level 2 (all attributes kept, byte for byte as they were sent);"
    yield "  element values are never coerced. A success is answered after the instance is on the"
    yield "  disk and in the database."
    yield "- **Storage as SCU**: results to the peers of a rule, any file with `pacs-ai send`; each"
    yield "  in the transfer syntax that it has. A peer that takes only Implicit VR Little Endian"
    yield "  gets uncompressed objects converted to it."
    yield "- **Storage Commitment Push Model**: as SCU for delivered results where the peer has"
    yield "  `commitment = true`; reports are taken on the same or on any later association, with"
    yield "  role selection. As SCP for what the node holds, each file read again before the"
    yield "  answer; the report goes out on the same association, else on a new one to a peer that"
    yield "  is configured under the calling AE title."
    yield "- **Study Root Query, FIND**: as SCU, of the source of a study if `count_check` is set:"
    yield "  SERIES with Number of Series Related Instances, and IMAGE where a peer does not tell"
    yield "  that number. Of an archive: STUDY, for `pacs-ai pull --where` by any attributes, for"
    yield "  earlier studies by Patient ID and Study Date, with SERIES below."
    yield "- **Retrieval (Study Root, MOVE)** as SCU: `pacs-ai pull` has studies sent to the AE"
    yield "  title of the node, one after the other; the archive has to know its address and port."
    yield "  C-CANCEL is sent for a study that a person cancels, with MOVE and GET."
    yield '- **Retrieval (Study Root, GET)** as SCU, for peers with `retrieve = "get"`: the node'
    yield "  proposes to be SCP of the storage classes that the study has (SOP Classes in Study, or"
    yield "  SOP Class UID at the IMAGE level), otherwise of the usual ones. Each has up to 19"
    yield "  contexts, one for each transfer syntax, so that an object comes as the archive has it."
    yield "- **Transfer syntaxes** of Verification, Storage Commitment, Query and Retrieval:"
    yield f"  {', '.join(uncompressed_syntaxes())}."
    yield ""


def _association(config: Config) -> Iterator[str]:
    node, limits, tls = config.node, config.limits, config.tls
    plain = tls.certificate is None or tls.plain
    callers = ", ".join(f"`{title}`" for title in node.accept_from)
    yield "## Associations"
    yield ""
    yield from table(
        ("Property", "Value", "Setting"),
        [
            ("AE title", f"`{node.ae_title}`", "`node.ae_title`"),
            (
                "Address and port",
                f"`{node.host}:{node.port}`" if plain else "closed",
                "`node.host`, `node.port`",
            ),
            (
                "Port for DICOM over TLS",
                str(tls.port) if tls.certificate is not None else "closed",
                "`[tls]`",
            ),
            ("Called AE title", "must be the node's", ""),
            ("Calling AE titles", callers or "any, from this machine only", "`node.accept_from`"),
            (
                "User identity",
                "not asked for" if node.users is None else "username and passcode, checked",
                "`node.users`, or `pacs-ai users add`",
            ),
            ("Associations at once", str(node.max_associations), "`node.max_associations`"),
            ("Maximum PDU length", f"{limits.max_pdu} bytes", "`limits.max_pdu`"),
            ("Largest instance", f"{limits.max_instance // _MIB} MiB", "`limits.max_instance`"),
            ("Until A-ASSOCIATE-RQ", f"{limits.acse_seconds:g} s", "`limits.acse_seconds`"),
            ("For one PDU", f"{limits.pdu_seconds:g} s", "`limits.pdu_seconds`"),
            ("Idle", f"{limits.idle_seconds:g} s", "`limits.idle_seconds`"),
            ("Asynchronous operations", "none: one at a time", ""),
        ],
    )
    yield "If all places are taken and a caller comes from another address, the node aborts an"
    yield "association of the address that holds most: the one that has been idle longest. An"
    yield "association with a message under way is aborted only if no data have come for 5 s. An"
    yield "address that shows wrong passcodes is answered with growing delays, up to 8 s. C-ECHO"
    yield "from this machine under the node's own AE title is always accepted."
    yield ""
    yield "**As requestor** the node speaks TLS to a peer with `tls = true` (BCP 195: TLS 1.2 and"
    yield "1.3; the certificate is checked with its host name), shows a certificate where it is"
    yield "asked to, and a user name and passcode where `user` is set (type 2; type 1 without a"
    yield "passcode). A node that takes TLS only sends in clear text only to peers with"
    yield "`tls = false`. Unknown items in an A-ASSOCIATE-AC are skipped (PS3.8 Section 9.3.1);"
    yield "contexts that were not proposed are ignored; UIDs padded with NULs or spaces are"
    yield "accepted. 0x0111 as the answer to a C-STORE means that the peer holds the object, if an"
    yield "earlier attempt had got no answer or the peer is asked for commitment."
    yield ""
    yield "Of the transfer syntaxes proposed for a presentation context, the first that is"
    yield "supported is accepted. Storage classes that are not listed below are taken too: private"
    yield "ones, those that the standard has retired, and those newer than this release"
    yield "(`node.accept_unknown = false` refuses them)."
    yield ""


def _statuses() -> Iterator[str]:
    yield "## Status of C-STORE responses"
    yield ""
    yield from table(
        ("Status", "Meaning"), [(f"`0x{status:04X}`", text) for status, text in _STATUSES]
    )
    yield "An element whose VR is not valid (NUL bytes, spaces, lower case) is taken for UN with a"
    yield "length of 16 bits, if the data set then reads to its end; zero bytes after the last"
    yield "element are padding. Both are stored as they were sent."
    yield ""
    yield "Pixels are not decoded while an instance is received: one whose pixels turn out to be"
    yield "unreadable is stored, and its study is analysed without it."
    yield ""


def _dicomweb() -> Iterator[str]:
    yield "## DICOMweb (PS3.18)"
    yield ""
    rows = [
        ("Store Transaction (STOW-RS)", "`multipart/related; type=application/dicom`, streamed"),
        ("Search Transaction (QIDO-RS)", "studies, series, instances"),
        ("Retrieve Transaction (WADO-RS)", "instances, metadata, bulk data, frames, rendered"),
    ]
    yield from table(("Origin server", "Resources and media types"), rows)
    yield "- **Store**: instances are checked and kept as by C-STORE; Failure Reason and Warning"
    yield "  Reason have its status. HTTP 200, 202, 409, 503 as in PS3.18 Table 10.5.3-1."
    yield "- **Search**: exact, wildcard, range, UID list and universal matching on attributes of"
    yield "  the headers, also in sequences; `limit`, `offset`, `includefield`. Matching that is"
    yield "  fuzzy, of empty or of multiple values is not done: a Warning says so."
    yield "- **Retrieve**: instances and compressed frames in the transfer syntax that they have;"
    yield "  frames also decoded, uncompressed instances also written in Explicit VR Little Endian."
    yield "  Rendered as JPEG or PNG, with `window`, `viewport` and `quality`; no `annotation`."
    yield "- **Media types**: attributes as `application/dicom+json` (default) or"
    yield "  `application/dicom+xml`; weights and the parameter `accept` count."
    yield "- **As user agent**: results are stored by STOW-RS, as they are, and looked for by"
    yield "  QIDO-RS, series by series; Failure Reasons count as the statuses of C-STORE do."
    yield ""


def _syntaxes(syntaxes: Sequence[TransferSyntax]) -> Iterator[str]:
    yield "## Transfer syntaxes of Storage"
    yield ""
    yield "Instances are received and kept in all of them; the pixels of those marked can be read."
    yield ""
    yield from table(
        ("Transfer syntax", "UID", "Analysed"),
        [(one.name, f"`{one.uid}`", _yes(one.analysed)) for one in syntaxes],
    )
    yield "Images in the others are received and kept; their studies are analysed without them, and"
    yield "say so."
    yield ""
    yield "The codestream decides how a frame is compressed, how many components it has, in what"
    yield "order and of how many bits; the header decides which of these bits are stored, and"
    yield "whether they have a sign. A frame whose codestream and header cannot both be right is"
    yield "not analysed: other rows, columns or components, more bits than are allocated, a palette"
    yield "or signed colour compressed with loss, an offset table that contradicts its fragments."
    yield ""


def _classes(classes: Sequence[SopClass]) -> Iterator[str]:
    yield "## Storage SOP classes"
    yield ""
    yield "All are received and kept. Which images a model is shown depends on its bundle; reports,"
    yield "presentation states, segmentations and this node's own results are never analysed."
    yield ""
    yield from table(("SOP class", "UID"), [(one.name, f"`{one.uid}`") for one in classes])


def _yes(supported: bool) -> str:  # noqa: FBT001 - the only thing there is to say
    return "yes" if supported else "no"
