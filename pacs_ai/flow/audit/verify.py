"""Check that the ledger is what was written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import ledger
from pacs_ai.store.ledger_anchor import Anchor, read_anchor


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check has found: numbers of lines, and each problem in a sentence.

    ``remarks`` are no problems, and say what could not be checked.
    """

    lines: int
    first: int
    last: int
    hash: str
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def verify(context: FlowContext, *, most: int = 20) -> Verified:
    """Compute the chain again, from its first line to its last, and compare it with the spool.

    Parameters
    ----------
    most
        How many problems are told.
    """
    while True:
        begin = _begin(context)
        found = _verify(context, most)
        if not found.problems or _begin(context) == begin:  # or old lines were removed meanwhile
            return found


def _begin(context: FlowContext) -> int | None:
    anchor = _anchor(context, [], [])
    return None if anchor is None else anchor.first


def _verify(context: FlowContext, most: int) -> Verified:
    problems: list[str] = []
    remarks: list[str] = []
    anchor = _anchor(context, problems, remarks)
    chain = _Chain(anchor or Anchor(), problems)
    try:
        with context.database.read() as session:
            for line, event in ledger.raw_lines(session):
                chain.take(line, event)
    except StorageError as error:
        problems.append(f"line {chain.number + 1}: cannot be read: {error.message}")
    if anchor is not None:
        chain.compare(anchor)
    first = (anchor or Anchor()).first
    told = (*problems[:most], *([f"and {len(problems) - most} more"] if problems[most:] else []))
    return Verified(chain.lines, first, chain.number, chain.before, told, tuple(remarks))


def _anchor(context: FlowContext, problems: list[str], remarks: list[str]) -> Anchor | None:
    try:
        anchor = read_anchor(context.spool.root)
    except StorageError as error:
        problems.append(error.message)
        return None
    if anchor is None:
        remarks.append("the spool does not say where the ledger ends: lines may be missing there")
    else:
        problems.extend(anchor.breaks)
    return anchor


class _Chain:
    """The chain as far as it was computed."""

    def __init__(self, anchor: Anchor, problems: list[str]) -> None:
        self.number = anchor.first - 1
        self.before = anchor.before
        self.lines = 0
        self._problems = problems
        self._known_at = anchor.last
        self._known_hash = "" if anchor.last >= anchor.first else anchor.hash

    def take(self, line: dict[str, Any], event: Sequence[str] | None) -> None:
        """Check the next line, and its event."""
        self.lines += 1
        expected = self.number + 1
        if line["number"] != str(expected):
            self._problems.append(f"line {expected} is missing: {_shown(line['number'])} follows")
        if ledger.line_hash(self.before, line) != line["hash"]:
            self._problems.append(f"line {_shown(line['number'])} was altered, or one before it")
        if event is None:
            self._problems.append(f"line {_shown(line['number'])}: its event is gone")
        elif ledger.event_digest(event) != line["event_digest"]:
            self._problems.append(f"line {_shown(line['number'])}: its event was altered")
        self.number = int(line["number"]) if line["number"].isdecimal() else expected
        self.before = line["hash"]
        if self.number == self._known_at:
            self._known_hash = self.before

    def compare(self, anchor: Anchor) -> None:
        """Compare the end with what the spool knows."""
        if self.number < anchor.last:
            missing = anchor.last - self.number
            self._problems.append(f"{missing} lines are missing at the end, up to {anchor.last}")
        elif self._known_hash != anchor.hash:
            self._problems.append(f"line {anchor.last} is not the one that was written")


def _shown(number: str) -> str:
    return number if number.isdecimal() else "?"
