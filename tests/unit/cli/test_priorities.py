"""Lists and details say how urgent a job is."""

import json

import sqlalchemy as sa

from pacs_ai.priorities import Priority
from pacs_ai.store.schema import Job
from tests.unit.cli.conftest import Installation
from tests.unit.store.samples import NOW


def test_priorities_are_told(node: Installation) -> None:
    node.study_with_result()
    with node.database.write("test", NOW) as transaction:
        transaction.execute(sa.update(Job).values(priority=Priority.URGENT))
    (row,) = json.loads(node.pacs_ai("jobs", "list", "--json").out)
    assert row["priority"] == "urgent"
    assert "urgent" in node.pacs_ai("jobs", "list").out
    assert "urgent" in node.pacs_ai("jobs", "show", row["id"]).out
    assert "urgent" in node.pacs_ai("studies", "show", str(row["study"])).out
    assert json.loads(node.pacs_ai("trace", "1", "--json").out)["priority"] == "urgent"
    assert "urgent" in node.pacs_ai("trace", "1").out
    (study,) = json.loads(node.pacs_ai("studies", "list", "--json").out)
    assert study["priority"] == "routine"
