"""What a daemon prints when it starts: where it listens, what it does, how to reach it."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pacs_ai import __version__
from pacs_ai.config import (
    Config,
    Peer,
    Rule,
    describe,
    find_config,
    load_config,
)
from pacs_ai.config.conditions import in_words, may_name_a_patient
from pacs_ai.flow.urgency import may_be_urgent
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.node.app import App

_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


class Ports(NamedTuple):
    """The ports in use; 0 for none."""

    plain: int
    tls: int
    web: int


def greeting(app: App, source: Path | None, in_use: Ports, *, works: bool) -> Iterator[str]:
    """Describe a node that listens.

    Parameters
    ----------
    source
        The configuration file in force, if any.
    works
        Whether it also does the work.
    """
    config = app.context.config
    port, tls_port, web_port = in_use
    title, host = config.node.ae_title, config.node.host
    ports = [f"{host}:{port}"] if port else []
    ports += [f"{host}:{tls_port} (TLS)"] if tls_port else []
    yield f"pacs-ai {__version__} listens as {title} on {' and '.join(ports)}"
    yield "For research only: not a medical device."
    callers = ", ".join(config.node.accept_from) or "any AE title, from this machine only"
    yield _line("callers", callers)
    if web_port:
        yield _line("page", page_address(config.web.host, web_port))
    yield from belongings(app, source)
    yield from _limits(config, works=works)
    if tls_port and not port:
        yield ""
        yield "Try it:"
        yield f"  pacs-ai echo --self{explicit(source)}"
        yield f"  {_listing(config, source)}"
    if port:
        reach = _reach(host)
        yield ""
        yield "Try it:"
        yield f"  pacs-ai echo {_quoted(title)}@{reach}:{port}"
        yield f"  storescu -aec {_quoted(title)} {reach} {port} file.dcm"
        yield f"  {_listing(config, source)}"


def page_address(host: str, port: int) -> str:
    """Return the address of the page on this machine."""
    reach = _reach(host)
    return f"http://{f'[{reach}]' if ':' in reach else reach}:{port}/"


def _reach(host: str) -> str:
    """Return an address of this machine at which a server on `host` answers."""
    return "127.0.0.1" if host in _EVERYWHERE else host


def explicit(source: Path | None) -> str:
    """Return the flag that names the configuration, if a command would not find the file."""
    return f" --config {source}" if source is not None and source != find_config() else ""


def _listing(config: Config, source: Path | None) -> str:
    """Return the command that lists this node's studies, with its data where flags have put it."""
    command = "pacs-ai studies list" + explicit(source)
    usual = load_config(source).storage
    places = {"DATABASE": config.storage.database, "SPOOL": str(config.storage.spool)}
    normal = {"DATABASE": usual.database, "SPOOL": str(usual.spool)}
    if ":***@" in str(describe(config)["storage"]["database"]):
        places["DATABASE"] = normal["DATABASE"]  # without its password
    changed = [
        f"PACS_AI_STORAGE_{key}={value} " for key, value in places.items() if value != normal[key]
    ]
    return "".join(changed) + command


def belongings(app: App, source: Path | None) -> Iterator[str]:
    """Describe the models, rules and peers, and where the data are."""
    config = app.context.config
    yield _line("configuration", str(source) if source is not None else "none: the defaults")
    yield from _many("models", [_model(name, bundle) for name, bundle in app.bundles.items()])
    yield from _many("rules", [_rule(rule) for rule in config.rules])
    yield from _many("peers", [_peer(name, peer) for name, peer in config.peers.items()])
    yield _line("database", str(describe(config)["storage"]["database"]))
    yield _line("files", f"{config.storage.spool}, kept {config.kept.images_days:g} days")


def _limits(config: Config, *, works: bool) -> Iterator[str]:
    limits = config.limits
    yield _line(
        "limits",
        f"{config.node.max_associations} associations,"
        f" {limits.max_instance.human_readable()} an instance,"
        f" {config.storage.min_free_gb:g} GB disk kept free",
    )
    kept_free = config.engine.urgent_worker and may_be_urgent(config)
    workers = f"{config.engine.workers}{' and one for urgent studies' * kept_free}"
    yield _line(
        "complete",
        f"after {config.study.quiet_seconds or 0:g} s without a new image"
        f" (modalities and peers may differ); workers: {workers if works else 'none'}",
    )


def _model(name: str, bundle: ModelBundle) -> str:
    identity = bundle.identity
    classes = ", ".join(spec.name for spec in identity.classes)
    return (
        f"{name}: {identity.name} {identity.version}, sha256 {identity.sha256[:12]},"
        f" {'/'.join(bundle.input.modalities)}: {classes}"
    )


def _rule(rule: Rule) -> str:
    conditions = ", ".join(in_words(rule.when, may_name_a_patient))
    target = ", ".join(rule.send_to) or "the spool only"
    return (
        f"{rule.name}: {conditions or 'every study'} -> {', '.join(rule.models)}"
        f" -> {', '.join(rule.results)} -> {target}"
    )


def _peer(name: str, peer: Peer) -> str:
    commits = ", storage commitment" if peer.asks_commitment else ""
    return f"{name}: {peer.where}{commits}"


def _line(title: str, text: str) -> str:
    return f"  {title:<14} {text}"


def _many(title: str, texts: list[str]) -> Iterator[str]:
    for number, text in enumerate(texts or ["none"]):
        yield _line("" if number else title, text)


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
