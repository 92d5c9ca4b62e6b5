"""Settings of the listener; every limit is here, with its default."""

from dataclasses import dataclass, field

from pacs_ai.errors import ConfigError
from pacs_ai.net.tls import TlsFiles
from pacs_ai.net.users import CurrentUsers

_MIN_PDU = 4096
_MAX_PDU = 16 << 20


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """AE titles and addresses of the listener, and its limits.

    Attributes
    ----------
    ae_titles
        Our AE titles; a request for another one is rejected.
    host, port
        Where to listen in clear text; port 0 takes a free one, None keeps the plain port closed.
    accept_from
        Who may call: glob patterns of AE titles, each with ``@`` and a pattern or network of
        addresses if wanted; empty: anybody on this machine.
    balancers
        Addresses and networks whose connections begin with a PROXY protocol header (version 2): who
        it names is taken for the caller.
    users
        Gives the users and passcodes of which every caller must show one. It gives None, or is
        None: no caller has to.
    max_associations
        Associations at once; one more is rejected as transient.
    max_associations_per_peer
        The same for one address; None: no limit for one address.
    associations_per_minute
        New associations of one address in a minute, and at once; None: no limit.
    max_pending
        Connections without an association from addresses that never had one; beyond it the oldest
        of the address that has the most is closed.
    reserved_pending
        The same for addresses that have had an association.
    acse_seconds
        From the connection to a complete A-ASSOCIATE-RQ, including the TLS handshake.
    pdu_seconds
        From a PDU's first byte to its last.
    idle_seconds
        Without a message, or some progress of one.
    closing_seconds
        For the peer to close the connection after our last PDU.
    max_pdu
        Bytes of the largest P-DATA-TF that is announced.
    max_instance
        Bytes of the largest data set of an instance.
    max_command
        Bytes of the largest command set.
    max_identifier
        Bytes of the largest data set that is kept in memory (storage commitment).
    accept_unknown
        Accept private and retired storage classes as well.
    reuse_port
        Let several processes listen on the port.
    tls_port
        Where to listen with TLS.
    tls
        Its files; None for no TLS.
    """

    ae_titles: tuple[str, ...]
    host: str = "127.0.0.1"
    port: int | None = 11112
    accept_from: tuple[str, ...] = ()
    balancers: tuple[str, ...] = ()
    users: CurrentUsers | None = None
    max_associations: int = 64
    max_associations_per_peer: int | None = None
    associations_per_minute: int | None = None
    max_pending: int = 128
    reserved_pending: int = 128
    acse_seconds: float = 10
    pdu_seconds: float = 30
    idle_seconds: float = 60
    closing_seconds: float = 2
    max_pdu: int = 1 << 20
    max_instance: int = 2 << 30
    max_command: int = 64 << 10
    max_identifier: int = 16 << 20
    accept_unknown: bool = True
    reuse_port: bool = False
    tls_port: int = 2762
    tls: TlsFiles | None = field(default=None)

    def __post_init__(self) -> None:
        if not self.ae_titles or not all(title.strip() for title in self.ae_titles):
            raise ConfigError("the listener needs an AE title")
        if not _MIN_PDU <= self.max_pdu <= _MAX_PDU:
            raise ConfigError(f"max_pdu must lie between {_MIN_PDU} and {_MAX_PDU} bytes")
        if self.port is None and self.tls is None:
            raise ConfigError("neither a plain port nor TLS: nothing to listen on")
