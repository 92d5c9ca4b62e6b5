"""Old rows go in batches: each is a transaction of its own."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.flow import batches, retain
from pacs_ai.flow.audit import note, seal
from pacs_ai.flow.audit.seal import Sealer, prune
from pacs_ai.flow.audit.verify import verify
from pacs_ai.flow.batches import in_batches
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import studies
from pacs_ai.store.session import Transaction

FOUR_YEARS = timedelta(days=4 * 365)


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 7])
def test_all_rows_go_some_in_each_transaction(
    context: FlowContext, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(batches, "BATCH", 2)
    left = rows

    def remove(_transaction: Transaction, most: int) -> int:
        nonlocal left
        removed = min(left, most)
        left -= removed
        assert removed <= batches.BATCH
        return removed

    assert in_batches(context, remove) == rows
    assert left == 0


def test_lines_of_the_ledger_go_in_batches(
    context: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        note.accessed(context, number, "shown")
    lines = Sealer(context, "node").all()
    removed: list[int] = []
    some = seal._prune_some

    def counted(*given: object) -> int:
        removed.append(some(*given))  # type: ignore[arg-type]
        return removed[-1]

    monkeypatch.setattr(seal, "BATCH", 2)
    monkeypatch.setattr(seal, "_prune_some", counted)
    prune(context, context.now() + FOUR_YEARS * 10)
    assert (sum(removed), max(removed)) == (lines - 1, 2)  # the next line is chained to the last
    found = verify(context)
    assert (found.problems, found.first, found.last) == ((), lines, lines)


@pytest.mark.parametrize("at_once", [1, 2, 500])
def test_studies_that_stay_hide_none_behind_them(
    context: FlowContext,
    clock: ManualClock,
    send: Callable[..., StoreAnswer],
    ct: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    monkeypatch.setattr(retain, "_AT_ONCE", at_once)
    monkeypatch.setattr(retain, "_purge", lambda _context, study: study.id > 3)
    for number in range(1, 6):  # all but one came at the same moment
        ct.StudyInstanceUID = f"1.2.{number}"
        ct.SOPInstanceUID = ct.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        assert send(ct).status == 0
        with context.write() as transaction:
            assert studies.close(transaction, number, 1, reason="quiet")
            assert studies.routed(transaction, number, 1, reason="")
        clock.advance(60 if number == 2 else 0)
    clock.advance(FOUR_YEARS.total_seconds())
    assert retain.retain(context) == 2
