"""What the others say of a node that was killed."""

from dataclasses import replace

import structlog

from pacs_ai.flow import node_misfits, presence
from pacs_ai.flow.context import FlowContext
from tests.both_databases import open_database  # noqa: F401 - takes the place of another fixture
from tests.unit.flow.test_presence import change, clock, neighbour, of  # noqa: F401 - a fixture


def test_the_free_lock_of_a_node_that_was_killed_says_nothing_of_locks(
    context: FlowContext,
) -> None:
    other = neighbour(context)
    for one in (context, other):
        presence.join(one, listening=True)
    change(context, "other", machine="elsewhere")
    mine, its = of(context), of(other)
    for works, told in ((False, 0), (True, 1)):
        with structlog.testing.capture_logs() as logged:
            for _ in range(3):
                if works:
                    its.sweep()
                mine.sweep()
        assert sum("file locks" in one.get("what", "") for one in logged) == told


def test_a_node_that_was_killed_does_not_count_as_at_work(context: FlowContext) -> None:
    other = neighbour(context)
    for one in (context, other):
        one.spool.lock()
        presence.join(one, listening=True)
    other.spool.unlock()
    change(context, "other", machine="elsewhere")
    looked = node_misfits.look_at_nodes(replace(context, owner="operator"))
    assert (looked.at_work, list(looked.silent), looked.misfits) == (["node"], ["other"], [])
