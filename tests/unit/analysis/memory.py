"""A result writer in memory: what an analysis has kept, and nothing of what it dropped."""

from pacs_ai.results.build import Built
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import Evidence
from tests.unit.results.samples import CONTEXT


class ResultMemory:
    """Keeps results that can be encoded."""

    def __init__(self) -> None:
        self.kept: list[Built] = []

    def write(self, result: Built) -> Built:
        assert result.encode()
        self.kept.append(result)
        return result

    def remove(self, written: Built) -> None:
        self.kept.remove(written)


def context_of(_evidence: Evidence) -> ResultContext:
    return CONTEXT
