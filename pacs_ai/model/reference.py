"""How the validation images looked to a model, and what it gave for them: ``reference.json``.

A bundle may have it. The node compares with it what senders send (`pacs_ai.model.drift`). The file
holds sorted numbers, a few hundred for each statistic and modality, and nothing of any image.

A bundle that was made without one gets it later as a file beside the manifest, which states for
which network it is. Where signatures are required, only a file that the manifest names is read.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

REFERENCE = "reference.json"
SCORE = "score."
"""Begin of the names of statistics that are scores."""
ANY = ""
"""Modality of pictures that have none: they stand for all modalities."""

FEWEST = 30
"""Images of a modality; with fewer there is nothing to compare with."""

MOST = 256
"""Images of a modality that are kept."""


class Reference(BaseModel):
    """The statistics of the validation images.

    Parameters
    ----------
    network_sha256
        Hash of the network whose scores they are.
    groups
        By modality, ``""`` for pictures, then by statistic: the values, one for each patient,
        sorted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal[1] = 1
    network_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    groups: dict[str, dict[str, tuple[float, ...]]]

    def of(self, modality: str) -> Mapping[str, Sequence[float]]:
        """Return the values to compare images of a modality with; none if there are too few."""
        found = self.groups.get(modality, self.groups.get(ANY, {}))
        return {name: values for name, values in found.items() if len(values) >= FEWEST}

    def of_network(self, network_sha256: str) -> Self:
        """Return the reference of another network that takes the same input; it has no scores."""
        groups = {
            modality: {name: values for name, values in group.items() if not name.startswith(SCORE)}
            for modality, group in self.groups.items()
        }
        return type(self)(network_sha256=network_sha256, groups=groups)

    def encode(self) -> bytes:
        """Return the content of the file."""
        return (json.dumps(self.model_dump(), separators=(",", ":")) + "\n").encode()


def encode_reference(
    network_sha256: str, measured: Sequence[tuple[str, Mapping[str, float]]]
) -> bytes:
    """Make the file of the statistics of images, each with its modality."""
    groups: dict[str, dict[str, list[float]]] = {}
    for modality, values in measured:
        group = groups.setdefault(modality, {})
        for name, value in values.items():
            group.setdefault(name, []).append(value)
    made = Reference(
        network_sha256=network_sha256,
        groups={
            modality: {name: tuple(sorted(values)) for name, values in sorted(group.items())}
            for modality, group in sorted(groups.items())
        },
    )
    return made.encode()


def decode_reference(content: bytes, network_sha256: str) -> Reference | None:
    """Read the file; None if it is not in order, or of another network."""
    try:
        found = Reference.model_validate_json(content)
    except ValidationError:
        return None
    return found if found.network_sha256 == network_sha256 else None
