"""Sections of the configuration that stand by themselves; `schema` puts them together."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    PlainSerializer,
    PlainValidator,
    model_validator,
)

from pacs_ai.config.paths import DatabaseUrl
from pacs_ai.toml_table import TomlTable

MAX_TITLE = 16
"""Characters of an AE title (PS3.5 Section 6.2)."""

_MAX_WORKERS = 256
_GPU = re.compile(r"cuda:(0|[1-9][0-9]?)")


def _title(title: str) -> str:
    plain = title.isascii() and title.isprintable() and "\\" not in title
    if not title.strip() or len(title) > MAX_TITLE or not plain:
        raise ValueError(
            f"must be 1 to {MAX_TITLE} ASCII characters, no backslash, and not only spaces"
        )
    return title


def _device(value: object) -> str | tuple[str, ...]:
    """Check the name of a device, or a list of the GPUs."""
    if value == "cpu" or (isinstance(value, str) and _GPU.fullmatch(value)):
        return str(value)
    names = (
        [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []
    )
    if not names or not isinstance(value, list | tuple) or len(names) != len(value):
        raise ValueError("must be 'cpu', or a GPU: 'cuda:0' is the first one; or a list of GPUs")
    if not all(_GPU.fullmatch(one) for one in names):
        raise ValueError("a list of devices may have GPUs alone, such as 'cuda:0' and 'cuda:1'")
    if len(set(names)) != len(names):
        raise ValueError("names a GPU twice: for more workers on each GPU, set workers")
    return tuple(names)


def _as_it_is(device: str | tuple[str, ...]) -> object:
    """Serialise a device; a union of a name and a list would warn of the list."""
    return device


def _caller(entry: str) -> str:
    """Check an entry of ``accept_from``; an entry that lets nobody in is an error at the start."""
    title, at, address = entry.rpartition("@")
    title = title if at else entry
    literal = not any(sign in title for sign in "*?[")
    if not title.strip() or (literal and len(title) > MAX_TITLE) or (at and not address):
        raise ValueError(
            f"must be an AE title of 1 to {MAX_TITLE} characters or a pattern of one, and may end"
            " in @ and an address, a pattern of addresses or a network"
        )
    if "/" in address:
        ipaddress.ip_network(address, strict=False)
    elif at and not any(sign in address for sign in "*?["):
        ipaddress.ip_address(address)  # a name would match nothing: names are not looked up
    return entry


def _network(entry: str) -> str:
    """Check an entry of ``balancers``; names are not looked up."""
    ipaddress.ip_network(entry, strict=False)
    return entry


def _filled(value: object) -> object:
    if value == "":
        raise ValueError("must not be empty")
    return value


def _worker_count(value: object) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    if not isinstance(number, int) or not 1 <= number <= _MAX_WORKERS:
        raise ValueError(f'must be a whole number from 1 to {_MAX_WORKERS}, or "auto"')
    return number


AETitle = Annotated[str, AfterValidator(_title)]
Caller = Annotated[str, AfterValidator(_caller)]
Network = Annotated[str, AfterValidator(_network)]
Folder = Annotated[Path, BeforeValidator(_filled)]
Host = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=0, le=65535)]
PeerPort = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
WorkerCount = Annotated[int | Literal["auto"], PlainValidator(_worker_count)]
Device = Annotated[str | tuple[str, ...], PlainValidator(_device), PlainSerializer(_as_it_is)]


class Section(TomlTable):
    """Common to all parts of the configuration."""


class Node(Section):
    """``[node]``: how this node presents itself on the network."""

    ae_title: AETitle = "PACS_AI"
    """AE title that callers must address (PS3.8 Section 9.3.2)."""
    other_ae_titles: tuple[AETitle, ...] = ()
    """Further AE titles that callers may address; a rule tells them apart by ``CalledAET``."""
    site: str = Field("", max_length=64)
    """Part of every result UID: set it where two installations serve one archive."""
    host: Host = "127.0.0.1"
    """Address to listen on; ``0.0.0.0`` for all."""
    port: Port = 11112
    """TCP port; 0 takes a free one."""
    accept_from: tuple[Caller, ...] = ()
    """Calling AE titles let in, as glob patterns; empty lets in loopback connections only."""
    balancers: tuple[Network, ...] = ()
    """Balancers that tell by the PROXY protocol whom they speak for."""
    users: Path | None = None
    """File of lines ``name:passcode``; set, every caller must show one (PS3.7 D.3.3.7)."""
    acceptors: int = Field(1, ge=1, le=64)
    """Processes that receive; with several each has the limits on associations to itself."""
    max_associations: int = Field(64, ge=1)
    """Associations served at once; one more is rejected as transient."""
    accept_unknown: bool = True
    """Take storage SOP classes that are private or retired."""


class Storage(Section):
    """``[storage]``: where instances and rows are kept, and how safely."""

    database: DatabaseUrl = "sqlite:///var/pacs-ai.db"
    """SQLAlchemy URL, SQLite or PostgreSQL; a relative path starts at the file's folder."""
    spool: Folder = Path("var/spool")
    """Folder for instances and results."""
    min_free_gb: float = Field(2, ge=0)
    """Free disk space in GB below which every C-STORE is answered 0xA700."""
    keep_days: float | None = Field(None, ge=0)
    """Older name of ``images_days`` in ``[retention]``."""
    keep_aside_days: float | None = Field(None, ge=0)
    """Older name of ``aside_days`` in ``[retention]``."""
    durability: Literal["full", "relaxed"] = "full"
    """``full`` answers a C-STORE after fsync; ``relaxed`` trusts the operating system."""
    on_conflict: Literal["reject", "keep_both"] = "reject"
    """Same SOP Instance UID, other content: 0xC003, or 0xB000 with the second set aside."""


class Engine(Section):
    """``[engine]``: how the work is done."""

    kind: Literal["local", "procrastinate"] = "local"
    """Tasks are rows in the database of ``[storage]``, or jobs of Procrastinate in PostgreSQL."""
    workers: WorkerCount = 1
    """Worker processes that analyse, for each device; ``auto`` measures on the processor whether
    several do more."""
    urgent_worker: bool = True
    """Keep one more worker free for urgent studies, if rules or ``[routing] urgent`` name any."""
    runtime: Literal["onnxruntime", "openvino", "tensorrt"] = "onnxruntime"
    """What computes the networks; ``openvino`` needs the extra of this name."""
    device: Device = "cpu"
    """``cpu``, a GPU or a list of them: ``cuda:0`` is the first, and needs the extra ``gpu``."""
    device_memory: ByteSize | None = Field(None, ge=64 << 20)
    """GPU memory that each model of a worker may use; not set: no limit."""
    batch_images: int = Field(8, ge=1, le=256)
    """Images that a GPU computes at a time, of one study or of several."""
    batch_wait_ms: float = Field(10, ge=0, le=10_000)
    """For how long an image waits for others until the GPU computes a batch that is not full."""
    lease_seconds: Seconds = 120
    """A worker that does not renew its lease for this time loses its job."""
    job_timeout_seconds: Seconds = 900
    """A job that runs longer is ended, and the attempt counts."""
    retry_hours: float = Field(24, ge=0)
    """For how long a job is tried again while disk, spool or database are out of reach."""

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that workers have: one of them each."""
        return (self.device,) if isinstance(self.device, str) else self.device

    @model_validator(mode="after")
    def _device_of_runtime(self) -> Self:
        if self.runtime == "openvino" and self.device != "cpu":
            raise ValueError('runtime = "openvino" computes on the processor: device must be "cpu"')
        if self.runtime == "tensorrt" and self.device == "cpu":
            raise ValueError('runtime = "tensorrt" needs a GPU: device = "cuda:0"')
        return self


class Limits(Section):
    """``[limits]``: what a peer may ask of the listener (docs/operations.md)."""

    acse_seconds: Seconds = 10
    """From the connection to a complete A-ASSOCIATE-RQ."""
    pdu_seconds: Seconds = 30
    """From the first to the last byte of a PDU."""
    idle_seconds: Seconds = 60
    """Without a DIMSE message on an open association."""
    associations_per_peer: int | None = Field(None, ge=1)
    """Associations at once from one address; not set: only the node's own limit."""
    associations_per_minute: int | None = Field(None, ge=1)
    """New associations a minute from one address; not set: no limit."""
    max_pdu: ByteSize = Field(ByteSize(1 << 20), ge=4 << 10, le=16 << 20)
    """Largest PDU announced, and taken for anything but P-DATA."""
    max_instance: ByteSize = Field(ByteSize(2 << 30), ge=1)
    """Largest data set of one instance."""
    max_command: ByteSize = Field(ByteSize(64 << 10), ge=1 << 10)
    """Largest command set."""


class Tls(Section):
    """``[tls]``: the listener's TLS port (BCP 195); off while no certificate is given."""

    port: Port = 2762
    """TCP port for DICOM over TLS."""
    certificate: Path | None = None
    """PEM file with this node's certificate chain."""
    key: Path | None = None
    """PEM file with the certificate's private key."""
    ca: Path | None = None
    """PEM file with the authorities whose client certificates are required; not set: none asked."""
    plain: bool = False
    """Keep the plain port open beside TLS."""

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: set both or neither")
        return self


class Audit(Section):
    """``[audit]``: the ledger, and where its messages go besides (RFC 5425)."""

    keep_days: float | None = Field(None, ge=1)
    """Older name of ``ledger_days`` in ``[retention]``."""
    evidence_days: float | None = Field(None, ge=0)
    """Older name of ``evidence_days`` in ``[retention]``."""
    syslog: Host | None = None
    """Host that gets every message by syslog over TLS; not set: none."""
    port: PeerPort = 6514
    """Its TCP port."""
    ca: Path | None = None
    """PEM file with the authority of its certificate; not set: those that the system trusts."""
    certificate: Path | None = None
    """PEM file to show if it asks for a certificate."""
    key: Path | None = None
    """PEM file with the private key, if it is not in the same file."""
    patient_id: bool = False
    """Send the Patient ID; otherwise, and always in the database, a keyed hash stands for it."""

    @model_validator(mode="after")
    def _only_sent(self) -> Self:
        if self.patient_id and self.syslog is None:
            raise ValueError("patient_id = true needs syslog: the database never holds it")
        return self


class Log(Section):
    """``[log]``."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe event that is written."""
    format: Literal["text", "json"] = "text"
    """``text`` for people, ``json`` for a collector: one event a line on standard error."""
    debug_phi: bool = False
    """Write tracebacks, which may quote patient data, to a private file beside the database."""
    core_files: bool = False
    """Let the system write core files of processes that crash; they hold patient data."""
