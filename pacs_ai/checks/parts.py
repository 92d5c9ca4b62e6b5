"""Models, and the ports that the node listens on."""

from collections.abc import Iterator
from functools import partial

from pacs_ai.checks.finding import Finding, guarded, wrong
from pacs_ai.config import Config, ModelEntry
from pacs_ai.model.bundle import load_bundle


def models(config: Config) -> Iterator[Finding]:
    """Look at every file of the configured bundles."""
    for name, entry in config.models.items():
        remedy = f"install a whole bundle, or correct [models.{name}]; see pacs-ai models verify"
        yield guarded(f"model {name}", remedy, partial(_bundle, name, entry))


def ports(config: Config) -> Iterator[Finding]:
    """Compare the two ports: only one of them can have a number."""
    node, tls = config.node, config.tls
    both = tls.certificate is not None and tls.plain
    if both and node.port and node.port == tls.port:
        text = f"node.port and tls.port are both {node.port}"
        yield wrong("ports", text, "give one of them another number")


def _bundle(name: str, entry: ModelEntry) -> Finding:
    identity = load_bundle(entry.bundle, entry.sha256).identity
    return Finding(f"model {name}", f"{identity.name} {identity.version}: files in order")
