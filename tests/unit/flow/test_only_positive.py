"""A peer that wants positive results alone, and what it gets of others."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from pacs_ai.config import Config
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.store_results import addressed
from pacs_ai.store.schema import Delivery, Job
from tests.unit.flow.ready import another_job, ready
from tests.unit.store.samples import MODEL, made

PEERS = {
    "archive": {"ae_title": "ARCHIVE", "host": "h", "port": 104},
    "ris": {"kind": "mllp", "host": "h", "port": 2575, "only_positive": True},
}
RULE = {
    "name": "everything",
    "model": "demo",
    "send_to": ["archive", "ris"],
    "results": ["report", "hl7"],
}


@pytest.mark.parametrize("before", ["nothing", "another model", "this model", "cancelled"])
@pytest.mark.parametrize("positive", [False, True])
def test_it_gets_positive_results_and_what_corrects_them(
    context: FlowContext, before: str, *, positive: bool
) -> None:
    config = Config.model_validate({"peers": PEERS, "rules": [RULE]})
    node = replace(context, config=config.model_copy(update={"storage": context.config.storage}))
    earlier = ready(node, {}, results=())
    if before != "nothing":
        another_job(earlier, "ris", 1)
    with node.write() as transaction:
        job = transaction.scalars(sa.select(Job).where(Job.model_name == MODEL.name)).one()
        if before in ("this model", "cancelled"):
            others = sa.update(Job).where(Job.id != job.id)
            transaction.execute(others.values(model_name=MODEL.name, revision=0))
        if before == "cancelled":
            transaction.execute(sa.update(Delivery).values(state="CANCELLED"))
    results = [made(1), made(2, kind="hl7")]
    got = addressed(node, job, results, config.rules, positive=positive)
    told = positive or before == "this model"
    assert [one.send_to for one in got] == [("archive",), ("ris",) if told else ()]
