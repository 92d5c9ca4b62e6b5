from pacs_ai.config.completeness import Study as Timing
from pacs_ai.domain import StudyId
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.store.completeness import Revision

REVISION = (StudyId(1), 1)
SLOW = Timing(quiet_seconds=60, max_wait_seconds=3600)
FAST = Timing(quiet_seconds=60, max_wait_seconds=3600, release_seconds=3)


def verdict(arrivals: Arrivals, revision: Revision, timing: Timing, now: float) -> str:
    """Why a revision counts as complete at a moment; nothing while it does not."""
    due, reason = arrivals.due(revision, timing)
    return reason if due <= now else ""


def test_quiet_counts_from_the_last_instance_and_not_while_an_association_brings_more():
    arrivals = Arrivals()
    arrivals.stored(REVISION, "a", 0)
    arrivals.stored(REVISION, "a", 10)
    assert verdict(arrivals, REVISION, SLOW, 100) == ""
    arrivals.closed("a", released=True, now=100)
    assert verdict(arrivals, REVISION, SLOW, 101) == "quiet"


def test_release_completes_sooner_unless_something_new_arrives():
    arrivals = Arrivals()
    arrivals.stored(REVISION, "a", 0)
    arrivals.closed("a", released=True, now=1)
    assert verdict(arrivals, REVISION, FAST, 3.9) == ""
    assert verdict(arrivals, REVISION, FAST, 4) == "association released"
    arrivals.stored(REVISION, "b", 4)
    assert verdict(arrivals, REVISION, FAST, 10) == ""
    arrivals.closed("b", released=True, now=10)
    assert verdict(arrivals, REVISION, FAST, 13) == "association released"


def test_an_abort_is_no_release():
    arrivals = Arrivals()
    arrivals.stored(REVISION, "a", 0)
    arrivals.closed("a", released=False, now=1)
    assert verdict(arrivals, REVISION, FAST, 30) == ""
    assert verdict(arrivals, REVISION, FAST, 60) == "quiet"


def test_one_of_two_associations_is_not_the_end():
    arrivals = Arrivals()
    arrivals.stored(REVISION, "a", 0)
    arrivals.stored(REVISION, "b", 0)
    arrivals.closed("a", released=True, now=1)
    assert verdict(arrivals, REVISION, FAST, 50) == ""
    arrivals.closed("b", released=True, now=50)
    assert verdict(arrivals, REVISION, FAST, 53) == "association released"


def test_the_longest_wait_closes_whatever_arrives():
    arrivals = Arrivals()
    for second in range(0, 3700, 50):
        arrivals.stored(REVISION, "a", second)
    assert verdict(arrivals, REVISION, SLOW, 3599) == ""
    assert verdict(arrivals, REVISION, SLOW, 3600) == "longest wait over"


def test_after_a_restart_the_quiet_time_counts_anew():
    arrivals = Arrivals()
    assert verdict(arrivals, REVISION, SLOW, 1000) == ""
    arrivals.watch([REVISION], 1000, {})
    assert verdict(arrivals, REVISION, SLOW, 1059) == ""
    assert verdict(arrivals, REVISION, SLOW, 1060) == "quiet"


def test_closed_revisions_are_forgotten_and_fresh_ones_are_not():
    arrivals = Arrivals()
    arrivals.watch([REVISION], 0, {})
    other = (StudyId(2), 1)
    arrivals.stored(other, "a", 100)
    arrivals.watch([], 100, {})
    assert verdict(arrivals, REVISION, SLOW, 200) == ""
    arrivals.closed("a", released=True, now=100)
    assert verdict(arrivals, other, SLOW, 200) == "quiet"


def test_an_adopted_orphan_waits_for_no_association():
    arrivals = Arrivals()
    arrivals.stored(REVISION, None, 0)
    assert verdict(arrivals, REVISION, FAST, 60) == "quiet"
