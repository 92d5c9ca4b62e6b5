"""``pacs-ai weights``, whose options `pacs_ai.cli.weights` has."""

from dataclasses import asdict
from pathlib import Path

from training.cli.options import prepare


def list_weights() -> list[dict[str, object]]:
    """Describe the weights that are known, and which of them are in the folder."""
    from training.pretrained.catalogue import KNOWN
    from training.pretrained.folder import find_record, state_of

    return [
        {
            "network": network,
            "state": (state := state_of(network)),
            "present": state == "present",
            "licence": record.licence if record else known.licence,
            "source": record.source if record else known.source,
            "digest": record.digest if record else known.digest,
            "pinned": record.pinned if record else True,
            "sha256": record.sha256 if record else "",
        }
        for network, known in KNOWN.items()
        for record in [find_record(network)]
    ]


def fetch_weights(network: str, url: str) -> dict[str, object]:
    """Get the weights of a network from their source."""
    prepare("cpu")
    from training.foreign import weights

    return asdict(weights.fetch_weights(network, url))


def import_weights(path: Path, network: str, licence: str, source: str) -> dict[str, object]:
    """Import weights from a file."""
    prepare("cpu")
    from training.foreign import weights

    return asdict(weights.import_weights(path, network, licence, source))
