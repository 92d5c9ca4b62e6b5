"""``pacs-ai doctor``: what is wrong with this installation, and what to do about it."""

import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import typer

from pacs_ai.checks import Finding, findings
from pacs_ai.checks.finding import doubtful, guarded
from pacs_ai.checks.tls import SOON
from pacs_ai.cli.node import opened_node
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, read_config, single
from pacs_ai.cli.tables import print_json
from pacs_ai.config import Config, DimsePeer, ModelEntry, Peer, TlsPeer, find_config
from pacs_ai.destinations.addresses import address, ask_whether_there, own_addresses
from pacs_ai.destinations.kinds import probe_peer
from pacs_ai.dicom.codecs import missing_codecs
from pacs_ai.errors import PacsAIError, PeerError, PeerUnreachable, TlsFailed
from pacs_ai.flow.classifiers import chosen_provider, on_device
from pacs_ai.flow.expire import all_files_aside, held_studies
from pacs_ai.flow.node_misfits import KEPT, look_at_nodes
from pacs_ai.flow.replaced_runtimes import replaced_runtimes
from pacs_ai.flow.watch_drift import drift_alarms
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.net.certificates import valid_until
from pacs_ai.net.scp.listener import family_of
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import KeptAssociations

app = single()

_ECHO_SECONDS = 5.0
_DRIFT_SECONDS = 5.0
_MOMENT = "%Y-%m-%d %H:%M:%S %z"
_MADE_IN = 2026  # a clock that says less has not been set


@app.command()
def _doctor(
    *, as_json: AsJson = False, config: ConfigPath = None, verbose: Verbose = False
) -> None:
    """Look at configuration, disk, database, models, codecs, port, peers, nodes and clock."""
    settings = read_config(config, verbose=verbose)
    source = config or find_config()
    found: list[Finding] = []
    first = Finding("configuration", str(source) if source else "no file: the defaults")
    for check in (
        lambda _: iter([first]),
        findings,
        _models,
        _codecs,
        _port,
        _peers,
        _aside,
        _nodes,
        _replaced,
        _drift,
        _clock,
    ):
        for finding in check(settings):
            found.append(finding)
            if not as_json:
                _say(finding)
    if as_json:
        print_json(
            [
                {"check": one.name, "ok": not one.remedy, "text": one.text, "remedy": one.remedy}
                for one in found
            ]
        )
    if any(finding.remedy for finding in found):
        raise typer.Exit(1)


def _say(finding: Finding) -> None:
    print(f"{'WRONG' if finding.remedy else 'ok':<6} {finding.name:<14} {finding.text}", flush=True)
    if finding.remedy:
        print(f"{'':<21} -> {finding.remedy}", flush=True)


def _models(config: Config) -> Iterator[Finding]:
    """Load the networks whose bundles are in order: the start looks at their files alone."""
    remedy = "install a whole bundle; see pacs-ai models verify"
    for device in config.engine.devices:
        there = on_device(config, device)
        for name, entry in config.models.items():
            yield guarded(f"model {name}", remedy, partial(_load, there, name, entry))


def _load(config: Config, name: str, entry: ModelEntry) -> Finding:
    bundle = load_bundle(entry.bundle, entry.sha256, config.bundles.trusted_keys)
    classifier = Classifier.load(bundle, provider=chosen_provider(config))
    identity, by = classifier.identity, classifier.computed_by
    text = f"{identity.name} {identity.version} loads: {by.with_batch}"
    if reason := by.instead_of:
        remedy = "install what is missing, or correct engine.runtime, device and batch_images"
        return doubtful(f"model {name}", f"{text}, instead of {reason}", remedy)
    return Finding(f"model {name}", text)


def _codecs(_config: Config) -> Iterator[Finding]:
    missing = missing_codecs()
    if missing:
        remedy = "install pacs-ai with all its requirements again"
        yield doubtful("codecs", f"not installed: {', '.join(missing)}", remedy)
    else:
        yield Finding("codecs", "all are there")


def _port(config: Config) -> Iterator[Finding]:
    """Look at each port that is to be open: free, or the node itself behind it."""
    for own in own_addresses(config):
        name = "TLS port" if own.tls else "port"
        place = f"{config.node.host}:{own.port}"
        reason = _taken(config.node.host, own.port)
        if not reason:
            yield Finding(name, f"{place} is free")
            continue
        try:
            ask_whether_there(own, config.node.ae_title, _ECHO_SECONDS)
        except PeerError as error:
            key = "tls.port" if own.tls else "node.port"
            remedy = f"choose another {key}, or end what has it"
            text = f"{place}: {reason}, and no {own.ae_title} answers there: {error.message}"
            yield doubtful(name, text, remedy)
        else:
            yield Finding(name, f"{place}: {own.ae_title} is running there")


def _taken(host: str, port: int) -> str:
    """Say why a port cannot be listened on; "" if it can."""
    with socket.socket(family_of(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or type(error).__name__
    return ""


def _peers(config: Config) -> Iterator[Finding]:
    for name, peer in config.dimse_peers.items():
        try:
            yield _echo(config, name, peer)
        except PacsAIError as error:
            yield doubtful(f"peer {name}", error.message, _remedy(name, error))
    for name, other in config.peers.items():
        if isinstance(other, TlsPeer):
            yield _probe(config, name, other)


def _remedy(name: str, error: PacsAIError) -> str:
    if isinstance(error, TlsFailed):
        return (
            "check the certificates of both sides: who signed them, for which host, until when; "
            f"[peers.{name}] ca, certificate, key, and tls if the peer speaks none there"
        )
    if isinstance(error, PeerUnreachable):
        return "check its address and the firewall, and that it is running"
    return "check its port, that it knows this node's AE title, and whether it wants TLS or a user"


def _probe(config: Config, name: str, peer: Peer) -> Finding:
    try:
        probe_peer(config, name, KeptAssociations())
    except PacsAIError as error:
        remedy = f"check [peers.{name}], and that the peer is running"
        return doubtful(f"peer {name}", error.message, remedy)
    return Finding(f"peer {name}", f"{peer.where} answers")


def _echo(config: Config, name: str, peer: DimsePeer) -> Finding:
    where = address(config, peer)
    seconds = min(_ECHO_SECONDS, peer.timeout_seconds)
    certificate = client.echo(where, config.node.ae_title, timeout=seconds)
    text = f"{peer.ae_title}@{peer.host}:{peer.port} answers"
    end = None if certificate is None else valid_until(certificate)
    if end is None:
        return Finding(f"peer {name}", text)
    text += f" over TLS; its certificate is valid until {end:%Y-%m-%d}"
    if end - datetime.now(UTC) < SOON:
        return doubtful(f"peer {name}", text, "ask those who run it to renew it")
    return Finding(f"peer {name}", text)


def _aside(config: Config) -> Iterator[Finding]:
    """Say what waits for a person, and when it goes; that the node has begun is another check's."""
    try:
        with opened_node(config) as node:
            ends = [file.ends for file in all_files_aside(node)]
            held = [ends for _, ends in held_studies(node)]
    except PacsAIError:
        return
    if ends or held:
        first = min((*ends, *held)).astimezone()
        text = f"{len(ends)} file(s), {len(held)} study(ies) in CONFLICT"
        yield Finding("set aside", f"{text}; the first goes on {first:%Y-%m-%d}")
    else:
        yield Finding("set aside", "nothing waits for a person")


def _nodes(config: Config) -> Iterator[Finding]:
    """Say which nodes work with the database, and what does not fit between them."""
    try:
        with opened_node(config) as node:
            looked = look_at_nodes(node)
    except PacsAIError:
        return
    for one in looked.misfits:
        yield doubtful("nodes", one.text, one.remedy)
    for name, seen in looked.silent.items():
        text = f"{name} has given no sign of life since {seen.astimezone():{_MOMENT}}"
        end = (seen + KEPT).astimezone()
        remedy = (
            f"start it again; if that host is gone for good, it is listed until {end:{_MOMENT}}"
        )
        yield doubtful("nodes", text, remedy)
    if looked.at_work:
        shown = [f"{one} (receives)" * (one in looked.listening) or one for one in looked.at_work]
        yield Finding("nodes", f"at work: {', '.join(shown)}")
    elif not looked.silent:
        yield Finding("nodes", "none is at work")


def _replaced(config: Config) -> Iterator[Finding]:
    """Say which processes compute a model otherwise than the configuration says."""
    try:
        with opened_node(config) as node:
            found = list(replaced_runtimes(node.spool))
    except PacsAIError:
        return
    for one in found:
        remedy = "see docs/cluster.md, GPUs; then start the node again"
        yield doubtful("runtimes", f"{one.where}: {one.text}", remedy)


def _drift(config: Config) -> Iterator[Finding]:
    """Say whose studies do not look like the validation images of a model."""
    try:
        with opened_node(config) as node:
            alarms = list(drift_alarms(node))
    except PacsAIError:
        return
    for one in alarms:
        sender = f"{one.modality} of {one.sender or 'other senders'}"
        text = f"{sender} differ from the validation images of {one.model}: {one.statistics}"
        if one.since is not None:
            text += f"; since {one.since.astimezone():%Y-%m-%d %H:%M %z}"
        remedy = "look at such studies: what has changed at the scanner? Is the model fit for it?"
        yield doubtful("drift", text, remedy)
    if not alarms:
        yield Finding("drift", "no sender differs from the validation images of a model")


def _clock(config: Config) -> Iterator[Finding]:
    """Compare with the file system's: of a shared mount that is another machine's clock."""
    now = datetime.now().astimezone()
    text = f"{now:%Y-%m-%d %H:%M:%S %z}"
    if now.year < _MADE_IN:
        yield doubtful("clock", text, "set the clock: results carry its date")
        return
    folder = config.storage.spool
    if folder.is_dir() and os.access(folder, os.W_OK):
        probe = folder / f".doctor-{os.getpid()}"
        probe.touch()
        drift = abs(probe.stat().st_mtime - time.time())
        probe.unlink()
        if drift > _DRIFT_SECONDS:
            remedy = "synchronise the clocks of this machine and of the spool's"
            yield doubtful("clock", f"{text}; {drift:.0f} s apart from the spool's", remedy)
            return
    yield Finding("clock", text)
