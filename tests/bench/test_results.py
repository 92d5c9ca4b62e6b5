"""Making results against plain highdicom; see `tests.bench.results`. Nothing is judged."""

import sys

import pytest

from tests.bench.results import keep, run, table

pytestmark = [pytest.mark.bench, pytest.mark.slow]


def test_making_results(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = run(rounds=20, slices=100)
    keep(outcomes)
    with capsys.disabled():
        sys.stdout.write("\n" + table(outcomes))
    assert len(outcomes) == 4
