"""The configuration of the node: read once, checked as a whole, frozen.

`sections`, `rules` and `schema` declare the keys, `conditions` is the language that rules are
written in, `load` reads the file, `errors` says what is wrong with it, and `paths` says where
relative paths start.
"""

from pacs_ai.config.load import describe, find_config, load_config
from pacs_ai.config.message_peers import FhirPeer, MailPeer, MllpPeer, WebhookPeer
from pacs_ai.config.notifications import NotificationSection
from pacs_ai.config.paths import SQLITE
from pacs_ai.config.peers import DimsePeer, FolderPeer, Peer
from pacs_ai.config.rules import BACK_TO_SENDER, Rule, rule_label, sent_to
from pacs_ai.config.schema import Config, ModelEntry, model_of, versions_of
from pacs_ai.config.web_peers import DicomwebPeer, TlsPeer, WebPeer
from pacs_ai.config.web_service import TlsFiles, WebService

__all__ = [
    "BACK_TO_SENDER",
    "SQLITE",
    "Config",
    "DicomwebPeer",
    "DimsePeer",
    "FhirPeer",
    "FolderPeer",
    "MailPeer",
    "MllpPeer",
    "ModelEntry",
    "NotificationSection",
    "Peer",
    "Rule",
    "TlsFiles",
    "TlsPeer",
    "WebPeer",
    "WebService",
    "WebhookPeer",
    "describe",
    "find_config",
    "load_config",
    "model_of",
    "rule_label",
    "sent_to",
    "versions_of",
]
