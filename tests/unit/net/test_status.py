"""What a status of a C-STORE response means."""

import pytest

from pacs_ai.net.status import Verdict, classify


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (None, Verdict.RETRY),
        (0x0000, Verdict.SUCCESS),
        (0x0001, Verdict.WARNING),
        (0xB000, Verdict.WARNING),
        (0xB007, Verdict.WARNING),
        (0xBFFF, Verdict.WARNING),
        (0xA700, Verdict.RETRY),
        (0xA7FF, Verdict.RETRY),
        (0x0213, Verdict.RETRY),
        (0xA800, Verdict.REFUSED),
        (0xA900, Verdict.REFUSED),
        (0xC000, Verdict.REFUSED),
        (0xCFFF, Verdict.REFUSED),
        (0x0117, Verdict.REFUSED),
        (0x0122, Verdict.REFUSED),
        (0xFF00, Verdict.REFUSED),
    ],
)
def test_verdicts(status: int | None, verdict: Verdict) -> None:
    assert classify(status) is verdict
    assert verdict.delivered is (verdict in (Verdict.SUCCESS, Verdict.WARNING))
