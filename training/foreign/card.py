"""The card of an imported network: what is known, and what nobody said."""

from collections.abc import Sequence
from dataclasses import dataclass

from pacs_ai.model.manifest import ClassEntry
from pacs_ai.model.spec import InputSpec
from training.foreign.head import Head
from training.foreign.settings import Said


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out about the given network.

    Parameters
    ----------
    file, sha256
        Of the given network.
    activation
        ``softmax`` or ``sigmoid``.
    head
        Its end.
    difference
        Largest difference of a probability between bundle and network, on generated images.
    """

    file: str
    sha256: str
    activation: str
    head: Head
    difference: float


def import_card(said: Said, spec: InputSpec, labels: Sequence[ClassEntry], facts: Facts) -> str:
    """Write ``MODEL_CARD.md`` of an imported network."""
    maps = (
        f"none: {facts.head.unexplained}"
        if facts.head.unexplained
        else f"exact, from the mean of a feature map of {len(facts.head.weights)} channels"
    )
    told = "the network ends with it" if facts.head.activation else "as said at the import"
    rows = [
        f"| {entry.name} | {entry.code.value} ({entry.code.scheme}) | "
        f"{'finding' if entry.positive else 'no finding'} | {entry.threshold:g} |"
        for entry in labels
    ]
    return "\n".join(
        [
            f"# {said.name} {said.version}",
            "",
            said.description or "Imported network. Nobody described it.",
            "",
            "**Trained elsewhere. pacs-ai has not evaluated it: neither its accuracy,",
            "nor its calibration, nor its thresholds are known here. For research only.**",
            "",
            f"- Source: `{facts.file}`, sha256 `{facts.sha256}`",
            f"- Input: one grey image, {spec.height} x {spec.width}, `{spec.preprocess}`; "
            f"modalities {', '.join(spec.modalities)}",
            f"- Output: {facts.activation} ({told}); images become a study by `{said.aggregation}` "
            f"(images of a sequence that it is shown: {spec.images})",
            f"- Heat maps: {maps}",
            f"- The bundle differs from the source by at most {facts.difference:.1e} in a "
            "probability, on generated images",
            "- It has no statistics of its training: images of another kind are not recognised.",
            "",
            "| class | code | | threshold |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )
