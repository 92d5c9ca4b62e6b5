"""The configuration of the node: read once, checked as a whole, frozen.

`sections` and `schema` declare the keys, `load` reads them, `errors` says what is wrong with a
file, and `paths` says where relative paths start.
"""

from pacs_ai.config.load import describe, find_config, load_config
from pacs_ai.config.paths import SQLITE
from pacs_ai.config.peers import DimsePeer, FolderPeer, Peer
from pacs_ai.config.schema import (
    Config,
    ModelEntry,
    Operand,
    Rule,
    model_of,
    rule_label,
    sent_to,
    versions_of,
)
from pacs_ai.config.web_peers import DicomwebPeer, WebPeer
from pacs_ai.config.web_service import WebService

__all__ = [
    "SQLITE",
    "Config",
    "DicomwebPeer",
    "DimsePeer",
    "FolderPeer",
    "ModelEntry",
    "Operand",
    "Peer",
    "Rule",
    "WebPeer",
    "WebService",
    "describe",
    "find_config",
    "load_config",
    "model_of",
    "rule_label",
    "sent_to",
    "versions_of",
]
