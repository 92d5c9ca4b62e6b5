"""The workspace of the bench: node and archive as processes, in a folder of their own."""

import json
from dataclasses import dataclass

from pacs_ai.config import Config, ModelEntry
from pacs_ai.demo.archive import AE_TITLE as ARCHIVE_TITLE
from pacs_ai.demo.processes import HOST, NODE_TITLE, Workspace

_CONFIG = """\
# The node of `pacs-ai bench site`.
[node]
ae_title = {node}
host = {host}
port = {node_port}
[web]
enabled = false
[storage]
database = "sqlite:///pacs-ai.db"
spool = "spool"
min_free_gb = 0
durability = {durability}
[log]
level = "WARNING"
[study]
quiet_seconds = 2
release_seconds = 0
{timing}
[peers.archive]
ae_title = {archive}
host = {host}
port = {archive_port}
[models.bench]
{model}
[bundles]
trusted_keys = {trusted_keys}
[engine]
{engine}
[[rules]]
name = "everything"
model = "bench"
send_to = ["archive"]
"""
_TIMING = "[study.modality.{modality}]\nrelease_seconds = 0\n"
_MODALITIES = ("CR", "DX", "MG")
"""Those whose default timing is not that of ``[study]``."""


@dataclass(frozen=True, slots=True)
class BenchWorkspace(Workspace):
    """The workspace of the demonstration with another node.

    Parameters
    ----------
    site
        The user's configuration: of it, the node has the model, ``[engine]``,
        the durability and the trusted keys.
    model
        The model to measure.
    """

    site: Config
    model: ModelEntry

    def configuration(self, node_port: int, archive_port: int) -> str:
        """Return the node's configuration: a study is complete when its association is released."""
        engine = self.site.engine.model_dump(mode="json", exclude_defaults=True)
        model = self.model.model_dump(mode="json", exclude_none=True)
        return _CONFIG.format(
            node=json.dumps(NODE_TITLE),
            archive=json.dumps(ARCHIVE_TITLE),
            host=json.dumps(HOST),
            node_port=node_port,
            archive_port=archive_port,
            durability=json.dumps(self.site.storage.durability),
            timing="".join(_TIMING.format(modality=one) for one in _MODALITIES),
            trusted_keys=json.dumps(self.site.bundles.trusted_keys),
            model=_keys(model),
            engine=_keys(engine),
        )


def _keys(section: dict[str, object]) -> str:
    """Write keys whose values TOML and JSON write alike."""
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in section.items())
