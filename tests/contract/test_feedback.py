"""Feedback is bound to the result that it is about, on every database."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.domain import FeedbackKind, Label
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import feedback as operate
from pacs_ai.flow.operate.feedback import FeedbackRecord
from pacs_ai.store.migrate import upgrade
from pacs_ai.store.selection import Filter
from pacs_ai.store.session import Database
from tests.databases import emptied, new_database
from tests.unit.flow.feedback_rows import Made, many_results
from tests.unit.flow.ledger_node import node_on

NUMBER = 1000
ALL = Filter(limit=10**6)


@pytest.fixture(params=["sqlite", "postgresql"])
def context(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FlowContext]:
    if request.param == "sqlite":
        database: Database = new_database(tmp_path)
    else:
        database = emptied(request.getfixturevalue("postgres"))
        upgrade(database)
    yield node_on(database, tmp_path)
    database.close()


def judgement(rng: random.Random, made: Made) -> tuple[FeedbackKind, dict[str, Label]]:
    """What somebody says: a kind, and labels that fit it."""
    kind = rng.choice(list(FeedbackKind))
    name = rng.choice(list(made.decisions))
    others = [label for label in Label if label != made.decisions[name]]
    label = next(one for one in others if one is not Label.UNCERTAIN)
    return kind, {} if kind is FeedbackKind.ACCEPT else {name: label}


def test_a_thousand_are_linked_and_none_to_another_result(context: FlowContext):
    rng = random.Random(1)  # noqa: S311 - test data
    results = many_results(context, 60)
    by_uid = {one.uid: one for one in results.all}
    said: list[tuple[FeedbackRecord, Made, FeedbackKind]] = []
    for number in range(NUMBER):
        made = rng.choice(results.all)
        kind, labels = judgement(rng, made)
        reference = rng.choice((made.uid, made.job, made.job[:20]))
        user = f"reader {number % 7}"
        node = replace(context, user=user)
        record = operate.add_feedback(node, reference, kind, labels, rng.choice(("api", "page")))
        said.append((record, made, kind))
    kept = {one.id: one for one in operate.list_feedback(context, ALL)}
    assert len(kept) == NUMBER
    for record, made, kind in said:
        row = kept[record.id]
        assert (row.sop_instance_uid, row.job, row.study) == (made.uid, made.job, made.study)
        assert (row.model, row.manifest_sha256) == (
            f"{made.model.name} {made.model.version}",
            made.model.manifest_sha256,
        )
        assert (row.kind, row.decisions) == (kind, {"No finding": "", **made.decisions})
    for row in kept.values():
        uid = row.sop_instance_uid
        expected = "withdrawn" if uid in results.withdrawn else "current"
        if expected == "current" and uid in results.amended:
            expected = "amended"
        assert row.holds == expected
        assert by_uid[uid].study_uid == row.study_instance_uid
    newest = {(one.sop_instance_uid, one.user): one.id for one in reversed(list(kept.values()))}
    assert {one.id for one in kept.values() if one.counts} == set(newest.values())
