"""A job that has made all but one kind of result, as people and programs see it."""

import json

from pacs_ai.store import jobs
from tests.unit.cli.conftest import Installation
from tests.unit.store.samples import NOW, made, routed_job

MISSING = "region not made: the region cannot be built (KeyError)"


def test_a_job_says_what_it_could_not_make(node: Installation) -> None:
    with node.database.write("test", NOW) as transaction:
        _, job_id = routed_job(transaction)
        lease = jobs.claim(transaction, job_id, 60)
        assert lease is not None
        fault = ("INVALID_RESULT", MISSING)
        jobs.succeed(transaction, lease, [made()], "Lesion 0.930", fault=fault)
    (row,) = json.loads(node.pacs_ai("jobs", "list", "--json").out)
    assert (row["state"], row["error_code"]) == ("SUCCEEDED", "INVALID_RESULT")
    assert row["outcome"] == f"demo: {MISSING}; Lesion 0.930"
    assert "region not made" in node.pacs_ai("jobs", "list").out
    for words in (("jobs", "show", job_id), ("studies", "show", "1.2.3")):
        assert MISSING in " ".join(node.pacs_ai(*words).out.split()), words
