"""`pacs-ai results`: take back what was said, and see what became of it."""

import json

from tests.unit.cli.conftest import Installation


def test_it_says_what_happens_where(node: Installation):
    node.study_with_result()
    done = node.pacs_ai("results", "withdraw", "1", "--reason", "quality")
    assert (done.code, "to be told" in done.out) == (0, True), done.err
    [record] = json.loads(node.pacs_ai("results", "withdrawals", "1", "--json").out)
    assert (record["study"], record["reason"], record["model"]) == (1, "quality", "")
    assert record["user"]
    [outcome] = record["outcomes"]
    assert (outcome["destination"], outcome["results"], outcome["way"]) == ("pacs", 1, "to be told")
    again = node.pacs_ai("results", "withdraw", "1", "--reason", "quality")
    assert (again.code, "no results that hold" in again.err) == (1, True)


def test_what_waits_is_cancelled_at_once(node: Installation):
    node.study_with_result(deliver=False)
    done = node.pacs_ai(
        "results", "withdraw", "1", "--reason", "worklist", "--wait", "60", "--json"
    )
    [record] = json.loads(done.out)
    [outcome] = record["outcomes"]
    assert (outcome["way"], outcome["state"]) == ("never sent", "CANCELLED")


def test_other_results_can_take_their_place(node: Installation):
    node.study_with_result()
    done = node.pacs_ai("results", "withdraw", "1", "--reason", "quality", "--again")
    assert done.code == 0, done.err
    [study] = json.loads(node.pacs_ai("studies", "list", "--json").out)
    assert study["revision"] == 2


def test_a_reason_is_one_of_four(node: Installation):
    node.study_with_result()
    for options in ([], ["--reason", "mood"]):
        assert node.pacs_ai("results", "withdraw", "1", *options).code == 2
    assert node.pacs_ai("results", "withdrawals", "9").code == 1
