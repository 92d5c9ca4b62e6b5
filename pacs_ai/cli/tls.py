"""``pacs-ai tls``: certificates to try DICOM over TLS with."""

import re
import shlex
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.cli.options import ConfigPath, Verbose, group
from pacs_ai.config import Config, find_config, load_config
from pacs_ai.errors import ConfigError
from pacs_ai.files import PRIVATE, atomic_write, translated

app = group("Certificates to try TLS with: init.")

FOLDER = "tls"
"""Folder of the certificates, beside the configuration file."""

KEYS = {"certificate": "node.crt", "key": "node.key", "ca": "ca.crt"}
"""The keys of ``[tls]``, and the files that they name."""

DAYS = 365
_MAX_DAYS = 3650
_OWNERS = ("ca", "node", "client")
_HOST = re.compile(r"[0-9A-Za-z.:*_-]{1,253}")


@app.command()
def init(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            help="Where to write them. Default: tls, beside the configuration file.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="NAME",
            help="A name or address by which others reach this node; several times for several."
            " localhost, the loopback addresses and this machine's name are always there.",
            show_default=False,
        ),
    ] = None,
    days: Annotated[
        int,
        typer.Option("--days", metavar="N", min=1, max=_MAX_DAYS, help="How long they are valid."),
    ] = DAYS,
    config: ConfigPath = None,
    verbose: Verbose = False,  # noqa: ARG001 - every command has it
) -> None:
    """Make a test authority, a certificate for the node, and one for a client, with their keys.

    Nothing is overwritten. The last lines printed are for the configuration, and a command that
    sends with the certificate of the client. For a test only: in use, take the certificates of
    your institution.
    """
    base = config_folder(config)
    where = folder or base / FOLDER
    until = make_certificates(where, host or [], days)
    source = config or find_config()
    settings = load_config(source) if source is not None and source.is_file() else Config()
    print(f"valid until {until:%Y-%m-%d %H:%M} UTC, for {', '.join(_hosts(host or []))}")
    print(f"For {source or 'the configuration'}:")
    print()
    print("[tls]")
    for key, name in KEYS.items():
        print(f'{key} = "{shown_from(base, where / name)}"')
    print()
    print("Then start the node again, and send with DCMTK:")
    print(f"  storescu +tls {where}/client.key {where}/client.crt +cf {where}/ca.crt \\")
    print(f"    -aec {shlex.quote(settings.node.ae_title)} localhost {settings.tls.port} file.dcm")


def make_certificates(folder: Path, hosts: list[str], days: int) -> datetime:
    """Write a test authority and the certificates of node and client, with their keys.

    Parameters
    ----------
    folder
        Made if it is missing. The files are ``ca``, ``node`` and ``client``, each with ``.crt``
        and ``.key``; the keys can be read by their owner only.
    hosts
        Names and addresses of the node, besides those that every machine has.
    days
        How long all of them are valid.

    Returns
    -------
    datetime
        Until when.

    Raises
    ------
    ConfigError
        If one of the files exists already, or a host is no name and no address.
    """
    from pacs_ai.net import authority

    wrong = [one for one in hosts if _HOST.fullmatch(one) is None]
    if wrong:
        raise ConfigError(f"{wrong[0]!r} is no name and no address of a host")
    names = [f"{owner}.{kind}" for owner in _OWNERS for kind in ("crt", "key")]
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise ConfigError(
            f"{folder} has {', '.join(there)} already: remove them, or name another --folder"
        )
    now = datetime.now(UTC)
    ca = authority.new_authority(f"pacs-ai test authority {now:%Y-%m-%d}", now, days)
    node_hosts = _hosts(hosts)
    pairs = {
        "ca": ca,
        "node": authority.sign(ca, node_hosts[-1], node_hosts, now, days, server=True),
        "client": authority.sign(ca, "pacs-ai test client", (), now, days, server=False),
    }
    with translated(folder, "cannot be made"):
        folder.mkdir(parents=True, exist_ok=True)
    for owner, pair in pairs.items():
        atomic_write(folder / f"{owner}.key", pair.key_pem, replace=False, mode=PRIVATE)
        atomic_write(folder / f"{owner}.crt", pair.pem, replace=False, mode=0o644)
    return ca.certificate.not_valid_after_utc


def config_folder(config: Path | None) -> Path:
    """Return the folder at which relative paths of the configuration start."""
    return Path() if config is None else config.parent


def shown_from(base: Path, path: Path) -> str:
    """Write a path as the configuration in a folder does: relative, where it lies below it."""
    absolute, root = path.resolve(), base.resolve()
    return str(absolute.relative_to(root) if absolute.is_relative_to(root) else absolute)


def _hosts(given: list[str]) -> list[str]:
    """Return the names and addresses that the node's certificate is for, without repetition."""
    own = socket.gethostname()
    usual = ["localhost", "127.0.0.1", "::1", *([own] if _HOST.fullmatch(own) else [])]
    return list(dict.fromkeys([*usual, *given]))
