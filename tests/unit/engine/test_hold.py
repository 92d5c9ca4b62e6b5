"""Less urgent work is held up for a limited time, and has a fifth of the time in any case."""

import pytest

from pacs_ai.clock import ManualClock
from pacs_ai.engine.hold import HOLD_SECONDS, LOOK_SECONDS, HoldRounds

STEP = LOOK_SECONDS / 10


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def rounds(clock: ManualClock) -> HoldRounds:
    return HoldRounds(clock)


def test_without_urgent_tasks_nothing_is_held_up(clock: ManualClock, rounds: HoldRounds):
    for _ in range(100):
        assert not rounds.holds(urgent=False)
        clock.advance(STEP)


def test_while_urgent_tasks_go_on_a_fifth_of_the_time_is_free(
    clock: ManualClock, rounds: HoldRounds
):
    held = []
    for _ in range(10_000):
        held.append(rounds.holds(urgent=True))
        clock.advance(STEP)
    assert held[0]
    assert 0.19 < held.count(False) / len(held) < 0.21
    longest = max(len(run) for run in "".join("x" if one else " " for one in held).split())
    assert longest * STEP <= HOLD_SECONDS + 2 * STEP


@pytest.mark.parametrize("pause", ["an end", "no look"])
def test_after_a_pause_a_whole_round_begins(clock: ManualClock, rounds: HoldRounds, pause: str):
    assert rounds.holds(urgent=True)
    clock.advance(HOLD_SECONDS + STEP)
    if pause == "an end":
        rounds.holds(urgent=False)
    for _ in range(int(HOLD_SECONDS / STEP) - 1):
        assert rounds.holds(urgent=True)
        clock.advance(STEP)
