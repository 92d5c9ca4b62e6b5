"""The configuration: read once, checked whole, frozen.

Precedence, highest first: command-line flags, environment (``PACS_AI_SECTION_KEY``), the file,
the defaults below. An unknown key is an error, because a misspelt limit is no limit.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from pacs_ai.config.completeness import Study, StudyTiming
from pacs_ai.config.notifications import NotificationSection, check_notifications
from pacs_ai.config.paths import SQLITE, BundleName
from pacs_ai.config.peer_kinds import PeerSection
from pacs_ai.config.peers import DimsePeer
from pacs_ai.config.retention import OLDER_KEYS, Retention
from pacs_ai.config.rules import BACK_TO_SENDER, Routing, Rule, rule_label, sent_to
from pacs_ai.config.sections import (
    Audit,
    Engine,
    Limits,
    Log,
    Node,
    Section,
    Storage,
    Tls,
)
from pacs_ai.config.web import Web
from pacs_ai.domain import DOCUMENTS, REFUSALS


class Results(Section):
    """``[results]``: the form of what is made."""

    font: Path | None = None
    """TrueType font for names on the page of ``pdf`` that the shipped font has no letters for."""
    patient_name_in_fhir: bool = False
    """State the patient's name in the bundle of ``fhir``, beside the identifiers."""


def _public_key(key: str) -> str:
    if re.fullmatch(r"RW[A-Za-z0-9+/]{54}", key) is None:
        raise ValueError("is no public key of minisign: the second line of minisign.pub")
    return key


PublicKey = Annotated[str, AfterValidator(_public_key)]


class Bundles(Section):
    """``[bundles]``: where models are kept, and who may have signed them."""

    folder: Path | None = None
    """Where ``pacs-ai models add`` copies bundles to; not set: ``models`` beside the spool."""
    trusted_keys: tuple[PublicKey, ...] = ()
    """Public keys of minisign. If there are any, a bundle that none of them has signed is refused.
    """


class ModelEntry(Section):
    """``[models.x]``: a bundle under the name that rules use.

    ``[models."x@2.0.0"]`` beside it is another version of the same model, see `versions_of`.
    """

    bundle: BundleName
    """Folder of the bundle, or the name of a shipped one."""
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    """Pins the weights; another file is refused."""
    shadow: bool = False
    """While another version is active, this one analyses after it; its results are never sent."""


DEFAULT_MODELS = {"demo": ModelEntry(bundle="demo")}
"""The models of a configuration that names none."""


def model_of(models: Collection[str], section: str) -> str:
    """Return the model that a section is a version of: what is before ``@``, if that is one.

    Parameters
    ----------
    models
        Names of all sections, without ``models.``.
    """
    name = section.partition("@")[0]
    return name if name in models else section


def versions_of(models: Mapping[str, ModelEntry], name: str) -> dict[str, ModelEntry]:
    """Return the sections of all versions of a model: ``[models.x]`` is the first."""
    return {section: one for section, one in models.items() if model_of(models, section) == name}


class Config(Section):
    """Everything, as the node uses it."""

    node: Node = Node()
    storage: Storage = Storage()
    retention: Retention = Retention()
    study: Study = Study()
    engine: Engine = Engine()
    limits: Limits = Limits()
    tls: Tls = Tls()
    log: Log = Log()
    web: Web = Web()
    audit: Audit = Audit()
    results: Results = Results()
    bundles: Bundles = Bundles()
    peers: dict[str, PeerSection] = Field({})
    models: dict[str, ModelEntry] = Field(dict(DEFAULT_MODELS))
    routing: Routing = Routing()
    rules: tuple[Rule, ...] = (Rule(name="everything", model="demo"),)
    notifications: tuple[NotificationSection, ...] = ()

    @model_validator(mode="after")
    def _references(self) -> Self:
        if "rules" not in self.model_fields_set and "demo" not in self.models:
            raise ValueError("[[rules]]: there is none; say which studies go to which model")
        seen: dict[str, int] = {}
        for number, rule in enumerate(self.rules, start=1):
            if rule.name in seen:
                raise ValueError(
                    f"{rule_label(number, rule)}: number {seen[rule.name]} has the same name"
                )
            seen[rule.name] = number
        for number, rule in enumerate(self.rules, start=1):
            label = rule_label(number, rule)
            for model in rule.models:
                if model not in self.models or model_of(self.models, model) != model:
                    names = {model_of(self.models, section) for section in self.models}
                    known = ", ".join(sorted(names)) or "none"
                    raise ValueError(f"{label}: no model {model!r} (known: {known})")
            for peer in rule.send_to:
                if peer != BACK_TO_SENDER and peer not in self.peers:
                    known = ", ".join(sorted(self.peers)) or "none"
                    raise ValueError(f"{label}: no peer {peer!r} (known: {known})")
        return self

    @model_validator(mode="after")
    def _engine_in_postgresql(self) -> Self:
        if self.engine.kind == "procrastinate" and not self.storage.database.startswith("postgres"):
            raise ValueError('engine.kind = "procrastinate" needs PostgreSQL: set storage.database')
        return self

    @model_validator(mode="after")
    def _told(self) -> Self:
        """Refuse a section that names what there is not."""
        check_notifications(self.notifications, self.peers, {rule.name for rule in self.rules})
        return self

    @model_validator(mode="after")
    def _shadows(self) -> Self:
        """Refuse a shadow of nothing."""
        for section, entry in self.models.items():
            name = model_of(self.models, section)
            if entry.shadow and len(versions_of(self.models, name)) == 1:
                raise ValueError(
                    f"models.{section}: shadow = true is for one of several versions of a model:"
                    f' name it [models."MODEL@VERSION"], beside [models.MODEL]'
                )
        return self

    @model_validator(mode="after")
    def _clear_text(self) -> Self:
        """Refuse to send in clear text what came by TLS, unless the configuration allows it."""
        if self.tls.certificate is None or self.tls.plain:
            return self
        for name, peer in self.peers.items():
            if peer.undecided_tls:
                raise ValueError(
                    f"peers.{name}: this node takes DICOM over TLS only, and would speak to this"
                    " peer in clear text: set tls = true, or tls = false if that is meant"
                )
        return self

    @model_validator(mode="after")
    def _one_retention(self) -> Self:
        """Refuse two times for one thing; an older key alone, or of the same value, is fine."""
        for (section, older), key in OLDER_KEYS.items():
            days = getattr(getattr(self, section), older)
            if key in self.retention.model_fields_set and days not in (
                None,
                getattr(self.retention, key),
            ):
                raise ValueError(
                    f"{section}.{older} is the older name of retention.{key}, and both are set:"
                    " keep one of them"
                )
        return self

    @model_validator(mode="after")
    def _results(self) -> Self:
        """Refuse a choice of results that cannot have an effect."""
        if BACK_TO_SENDER in self.peers:
            raise ValueError(f"peers.{BACK_TO_SENDER}: this name stands for the sender of a study")
        for name, peer in self.peers.items():
            files = sorted(DOCUMENTS.intersection(peer.results or ()))
            if files and DOCUMENTS.isdisjoint(peer.takes):
                raise ValueError(
                    f"peers.{name}: {', '.join(files)} is no DICOM object and cannot be sent to a"
                    " peer; name it in a rule, and its file is kept in the spool"
                )
        for number, rule in enumerate(self.rules, start=1):
            label = rule_label(number, rule)
            if rule.when_not_analysable == "report" and not REFUSALS.intersection(rule.results):
                raise ValueError(
                    f"{label}: when_not_analysable needs one of"
                    f" {', '.join(sorted(REFUSALS))} among its results"
                )
            for name in rule.send_to:
                if name != BACK_TO_SENDER and not sent_to(rule, self.peers[name]):
                    raise ValueError(f"{label}: peer {name!r} takes none of its results")
        return self

    def debug_file(self) -> Path | None:
        """Return where tracebacks go, beside the database or in the spool; None for nowhere."""
        if not self.log.debug_phi:
            return None
        url = self.storage.database
        file = url.removeprefix(SQLITE)
        folder = Path(file).parent if file != url else self.storage.spool
        return folder / "debug-phi.log"

    @property
    def kept(self) -> Retention:
        """For how long everything is kept, whichever name of a key was used."""
        older = {
            key: days
            for (section, name), key in OLDER_KEYS.items()
            if (days := getattr(getattr(self, section), name)) is not None
        }
        return self.retention.model_copy(update=older)

    @property
    def dimse_peers(self) -> dict[str, DimsePeer]:
        """Those of the peers that are DICOM nodes."""
        return {name: one for name, one in self.peers.items() if isinstance(one, DimsePeer)}

    @property
    def told_of_withdrawals(self) -> list[str]:
        """Names of the peers that are told when results do not hold any more."""
        return [name for name, peer in self.peers.items() if peer.told_of_withdrawals]

    def timing(self, calling_aet: str, modality: str, rule: Rule | None = None) -> Study:
        """Completeness settings of a study, each key from the narrowest section that has it.

        That is the rule, then the peer of this AE title, then the modality, then ``[study]``.

        Parameters
        ----------
        calling_aet
            AE title the study came from.
        modality
            Modality of the instances (0008,0060).
        rule
            One that the study matches.
        """
        of_modality = self.study.modality.get(modality)
        of_peers = [one for one in self.dimse_peers.values() if one.ae_title == calling_aet]
        narrower = (of_modality, *of_peers, rule)
        return self.study.narrowed(*(one for one in narrower if one is not None))

    @model_validator(mode="after")
    def _archives_of_priors(self) -> Self:
        """Refuse to fetch earlier studies from what is no archive."""
        archives = [key for key, one in self.peers.items() if one.tells_counts]
        for number, rule in enumerate(self.rules, start=1):
            if rule.priors is not None and rule.priors.peer not in ("", *archives):
                known = ", ".join(sorted(archives)) or "none"
                label = rule_label(number, rule)
                text = f"no archive with the name {rule.priors.peer!r} (known: {known})"
                raise ValueError(f"{label}: priors: {text}")
        return self

    @model_validator(mode="after")
    def _asked_for_counts(self) -> Self:
        """Refuse a ``count_peer`` that cannot be asked."""
        asked = [key for key, one in self.peers.items() if one.tells_counts]
        timings: dict[str, StudyTiming] = {"study": self.study}
        timings |= {f"study.modality.{name}": one for name, one in self.study.modality.items()}
        timings |= {f"peers.{name}": one for name, one in self.dimse_peers.items()}
        timings |= {rule_label(number, one): one for number, one in enumerate(self.rules, start=1)}
        for where, timing in timings.items():
            if timing.count_peer is not None and timing.count_peer not in asked:
                known = ", ".join(sorted(asked)) or "none"
                text = f"no peer to ask with the name {timing.count_peer!r} (known: {known})"
                raise ValueError(f"{where}: {text}")
        return self
