"""Why a study was not analysed, as a result of its own."""

from dataclasses import dataclass

from pacs_ai.domain import InstanceHeader, ModelIdentity


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a model says nothing of a study: a result too, without a score.

    ``headers`` are those of all instances that could be read, at least one. ``code`` is the
    error's (docs/operations.md), ``reason`` a sentence without patient data.
    """

    model: ModelIdentity
    headers: tuple[InstanceHeader, ...]
    code: str
    reason: str
