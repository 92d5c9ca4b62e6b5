"""What follows from the answers that ``pacs-ai init`` gets: the values of the configuration."""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pacs_ai.cli.tls import FOLDER, KEYS, shown_from
from pacs_ai.config import SQLITE
from pacs_ai.config.template import ARCHIVE, MODEL, commented
from pacs_ai.model.bundle import SHIPPED

Answers = dict[str, Any]
"""What was answered, by the name of the flag; only what was answered is there."""

Values = Mapping[str, object]
"""By section and key, such as ``node.port``."""

_PEER = f"peers.{ARCHIVE}"


def configuration(answers: Answers, base: Path) -> str:
    """Return the text of the configuration.

    Parameters
    ----------
    answers
        ``archive`` is an address, ``model`` a bundle, all else text, numbers and truth values.
    base
        Folder of the file; paths below it are written relative to it.
    """
    bundle = answers.get("model")
    values = {
        **_network(answers),
        **_storage(answers, base),
        **_web(answers),
        **_tls(answers),
        **_archive(answers),
        **_model(answers, base),
    }
    return commented(
        values,
        model=MODEL if bundle is None else bundle.identity.name,
        without=[] if "archive" in answers else [_PEER],
    )


def _network(answers: Answers) -> Values:
    """Say how the node is called, and who may call it from elsewhere: nobody unless it is meant."""
    archive = answers.get("archive")
    callers = answers.get("accept_from")
    if callers is None and archive is not None and not _on_this_machine(archive.host):
        callers = [archive.ae_title]
    found = {
        "node.ae_title": answers.get("aet"),
        "node.port": answers.get("port"),
        "node.accept_from": callers,
        "node.host": answers.get("host", "0.0.0.0" if callers else None),  # noqa: S104 - as asked
    }
    return {key: value for key, value in found.items() if value is not None}


def _on_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _storage(answers: Answers, base: Path) -> Values:
    if "storage" not in answers:
        return {}
    folder = shown_from(base, Path(answers["storage"]))
    return {
        "storage.database": f"{SQLITE}{folder}/pacs-ai.db",
        "storage.spool": f"{folder}/spool",
    }


def _web(answers: Answers) -> Values:
    given = {"web.enabled": answers.get("web"), "web.port": answers.get("web_port")}
    return {key: value for key, value in given.items() if value is not None}


def _tls(answers: Answers) -> Values:
    if not answers.get("tls"):
        return {}
    return {f"tls.{key}": f"{FOLDER}/{name}" for key, name in KEYS.items()}


def _archive(answers: Answers) -> Values:
    archive = answers.get("archive")
    if archive is None:
        return {"rules.send_to": []}
    secured = answers.get("archive_tls", answers.get("tls"))
    found: dict[str, object] = {
        f"{_PEER}.ae_title": archive.ae_title,
        f"{_PEER}.host": archive.host,
        f"{_PEER}.port": archive.port,
    }
    return found if secured is None else {**found, f"{_PEER}.tls": secured}


def _model(answers: Answers, base: Path) -> Values:
    """Name the bundle, and let the rule send it what it is made for."""
    bundle = answers.get("model")
    if bundle is None:
        return {}
    shipped = bundle.folder.parent == SHIPPED
    modalities = list(bundle.input.modalities)
    return {
        f"models.{MODEL}.bundle": bundle.folder.name
        if shipped
        else shown_from(base, bundle.folder),
        "rules.model": bundle.identity.name,
        "rules.when": {"Modality": modalities} if modalities else {},
    }
