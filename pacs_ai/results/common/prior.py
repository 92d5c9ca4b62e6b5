"""The result of an earlier study that a report is compared with."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from pacs_ai.domain import ClassSpec
from pacs_ai.results.common.predecessor import Predecessor


@dataclass(frozen=True, slots=True)
class PriorFinding:
    """What the model said of one class; ``decision`` is "" for a class without a decision."""

    code: str
    scheme: str
    probability: float
    decision: str


@dataclass(frozen=True, slots=True)
class Prior:
    """The result of an earlier study of the same patient, by the same version of the same model.

    Parameters
    ----------
    day
        Study Date (0008,0020) of the earlier study, as ISO 8601 has it: ``2024-03-01``.
    findings
        What the model said of it.
    report
        The report on it; None if none was made.
    """

    day: str
    findings: tuple[PriorFinding, ...]
    report: Predecessor | None = None

    def of_class(self, spec: ClassSpec) -> PriorFinding | None:
        """Return what was said of a class; None if nothing."""
        code = spec.code.value, spec.code.scheme
        return next((one for one in self.findings if (one.code, one.scheme) == code), None)

    @property
    def key(self) -> str:
        """What the UIDs of results depend on: another comparison makes other results."""
        return f"prior {json.dumps(asdict(self), sort_keys=True)}"

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Make it again from what ``asdict`` has given, which may have been JSON meanwhile."""
        report = values["report"]
        return cls(
            values["day"],
            tuple(PriorFinding(**one) for one in values["findings"]),
            Predecessor(**report) if report else None,
        )
