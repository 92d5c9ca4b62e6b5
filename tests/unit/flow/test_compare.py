"""``models compare`` on a node with studies: what is known is used, the rest is replayed once."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa

from pacs_ai.clock import ManualClock
from pacs_ai.comparison.run import Question, compare
from pacs_ai.config import ModelEntry, Rule
from pacs_ai.domain import JobId, ResultKind
from pacs_ai.errors import DataError, StateError
from pacs_ai.feedback_kinds import FeedbackKind
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.operate.feedback import add_feedback
from pacs_ai.flow.route import route
from pacs_ai.model.bundle import MANIFEST, SHIPPED
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.phantom import write_phantom_study
from pacs_ai.store import studies
from pacs_ai.store.kept_predictions import KeptPrediction
from pacs_ai.store.schema import Job, Study
from tests.unit.flow.analysed import demo, on_a_node, other_version

OLD, NEW = f"demo@{demo().identity.version}", "demo@999"


@pytest.fixture
def node(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], tmp_path: Path
) -> FlowContext:
    """A node that has analysed three radiographs, and a version that finds less."""
    folder = other_version(tmp_path / "new", "999")
    manifest = folder / MANIFEST
    changed = manifest.read_text("utf-8").replace("threshold = 0.547547", "threshold = 0.999999")
    manifest.write_text(changed, "utf-8")
    rule = Rule(name="all", model="demo", results=(ResultKind.REPORT,))
    config = on_a_node(context, clock, rule).context.config
    models = {"demo": ModelEntry(bundle="demo"), NEW: ModelEntry(bundle=str(folder))}
    made = replace(context, config=config.model_copy(update={"models": models}))
    for number in range(3):
        study = write_phantom_study(tmp_path / f"{number}", "DX", number, lesion=number != 1)
        assert send(pydicom.dcmread(study.files[0]), association=f"{number}").status == 0
        analysed(made, number + 1)
    return made


def analysed(node: FlowContext, number: int) -> None:
    with node.write() as transaction:
        studies.close(transaction, number, 1, reason="quiet")
    route(node, {"demo": demo().identity}, pair_key(number, 1))
    with node.database.read() as session:
        key = session.scalars(sa.select(Job.id).where(Job.study_id == number)).one()
    analyse(node, {"demo": demo()}, JobId(key))


def run(node: FlowContext, first: str = OLD, second: str = NEW, **more: object):
    seen: list[tuple[int, int]] = []
    question = Question(first, second, **more)  # type: ignore[arg-type]
    values, page = compare(node, question, lambda *one: seen.append(one))
    assert seen[-1] == (len(seen), len(seen))
    return values, page


def test_stored_studies_are_replayed_once(node: FlowContext) -> None:
    values, page = run(node)
    assert (values["studies"], values["replayed"]) == (3, 3)
    lesion = values["classes"]["lesion"]
    assert lesion["moved"] == {"present to absent": lesion["changed"]}
    assert lesion["changed"] >= 1
    assert lesion["largest"] == 0  # the same network, another threshold
    assert len(re.findall(r"data:image/jpeg;base64,", page)) == 3 * values["changed"]
    again, same = run(node)
    assert again["replayed"] == 0
    assert again["classes"] == values["classes"]
    assert same.count("data:image/jpeg") == page.count("data:image/jpeg")


def test_after_an_interruption_the_rest_is_done(node: FlowContext) -> None:
    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(node, Question(OLD, NEW), stop)
    assert run(node)[0]["replayed"] == 1


def test_studies_can_be_chosen(node: FlowContext) -> None:
    assert run(node, studies=["2"])[0]["studies"] == 1
    with pytest.raises(StateError, match="no study 9"):
        run(node, studies=["9"])
    later = node.now().replace(year=9000)
    with pytest.raises(DataError, match="no study can be compared"):
        run(node, since=later)


def test_without_their_files_studies_that_were_compared_still_count(node: FlowContext) -> None:
    run(node)
    with node.write() as transaction:
        transaction.execute(sa.update(Study).values(state="PURGED"))
    values, page = run(node)
    assert values["studies"] == 3
    assert "data:image" not in page
    assert "there is nothing to analyse" in page


def test_what_cannot_be_read_now_is_tried_again(node: FlowContext) -> None:
    for path in node.spool.root.rglob("*.dcm"):
        path.rename(path.with_suffix(".away"))
    with pytest.raises(DataError, match="STORAGE"):
        run(node)
    with node.database.read() as session:
        assert session.scalars(sa.select(KeptPrediction)).all() == []
    for path in node.spool.root.rglob("*.away"):
        path.rename(path.with_suffix(".dcm"))
    assert run(node)[0]["studies"] == 3


def test_with_the_truth_the_page_has_the_auc(node: FlowContext, tmp_path: Path) -> None:
    with node.database.read() as session:
        uids = session.scalars(sa.select(Study.study_instance_uid).order_by(Study.id)).all()
    table = tmp_path / "truth.csv"
    rows = [f"{uid},{int(number != 1)}" for number, uid in enumerate(uids)]
    table.write_text("\n".join(["study_instance_uid,lesion", *rows]) + "\n")
    values, page = run(node, truth=table)
    assert values["with_truth"] == 3
    assert 0 <= values["classes"]["lesion"]["auc"]["first"]["value"] <= 1
    assert "whose truth is known" in page
    table.write_text("path,lesion\nfolder,1\n")
    with pytest.raises(DataError, match="a stored study has no path"):
        run(node, truth=table)


def test_without_a_table_feedback_is_the_truth(node: FlowContext) -> None:
    with node.database.read() as session:
        jobs = session.scalars(sa.select(Job.id).order_by(Job.study_id)).all()
    for job in jobs[:2]:
        add_feedback(node, job, FeedbackKind.ACCEPT, {}, "page")
    values, _ = run(node)
    assert values["with_truth"] == 2
    assert values["classes"]["lesion"]["auc"]["second"]["value"] == 1


@pytest.mark.parametrize("second", [OLD, "demo", str(SHIPPED / "demo")])
def test_the_same_bundle_is_nothing_to_compare(node: FlowContext, second: str) -> None:
    with pytest.raises(StateError, match="the same bundle"):
        run(node, second=second)
