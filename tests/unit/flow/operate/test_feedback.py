"""What a person says about a result, and what is made of it."""

from dataclasses import replace

import pytest

from pacs_ai.clock import ManualClock
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.feedback_kinds import FeedbackKind, Label
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.feedback.concordance import WHOLE
from pacs_ai.flow.feedback.keep import forget_feedback
from pacs_ai.flow.feedback.training_labels import as_csv
from pacs_ai.flow.operate import feedback as operate
from pacs_ai.flow.operate.deliveries import cancel_deliveries
from pacs_ai.flow.operate.feedback import FeedbackRecord
from pacs_ai.flow.operate.studies import delete_study, show_study
from pacs_ai.statistics.wilson import wilson
from pacs_ai.store.evidence_rows import rows_of
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.selection import Filter
from tests.unit.flow import feedback_rows as rows
from tests.unit.flow.feedback_rows import MODELS, Made
from tests.unit.store import samples

ACCEPT, MODIFY, REJECT = FeedbackKind
PRESENT, ABSENT, UNCERTAIN = Label
ALL = Filter(limit=1000)


@pytest.fixture
def made(context: FlowContext) -> Made:
    """A result: a lesion is present, whether a nodule is, is undetermined."""
    with context.write() as transaction:
        study = rows.routed(transaction, 1)
        decisions = {"Lesion": "present", "Nodule": "undetermined"}
        return rows.analysed(transaction, study, MODELS[0], "2.25.1", decisions)


def say(
    context: FlowContext, reference: str, kind: FeedbackKind, user: str = "ann", **labels: Label
) -> FeedbackRecord:
    return operate.add_feedback(replace(context, user=user), reference, kind, labels, "api")


def test_who_accepts_a_result_agrees_with_every_decision(context: FlowContext, made: Made):
    record = say(context, made.job[:8], ACCEPT)
    assert record.labels == {"Lesion": PRESENT, "Nodule": UNCERTAIN}
    assert record.decisions == {"No finding": "", **made.decisions}
    assert (record.user, record.source, record.holds, record.counts) == (
        "ann",
        "api",
        "current",
        True,
    )


def test_who_modifies_a_result_agrees_with_what_is_not_named(context: FlowContext, made: Made):
    assert say(context, made.uid, MODIFY, Nodule=ABSENT).labels == {
        "Lesion": PRESENT,
        "Nodule": ABSENT,
    }


def test_the_name_of_a_class_is_known_in_capital_and_small_letters(
    context: FlowContext, made: Made
):
    assert say(context, made.uid, MODIFY, lesion=ABSENT).labels["Lesion"] == ABSENT
    with pytest.raises(StateError, match=f"job {made.job} of study 1: a class has two labels"):
        say(context, made.uid, MODIFY, lesion=ABSENT, LESION=PRESENT)
    with pytest.raises(StateError, match=r"of study 1: .*It decides upon Lesion, Nodule"):
        say(context, made.uid, MODIFY, nose=ABSENT)


def test_who_rejects_a_result_says_nothing_but_what_is_named(context: FlowContext, made: Made):
    assert say(context, made.uid, REJECT).labels == {}
    assert say(context, made.uid, REJECT, Lesion=ABSENT).labels == {"Lesion": ABSENT}


@pytest.mark.parametrize(
    ("kind", "labels", "said"),
    [
        (MODIFY, {}, "use accept"),
        (MODIFY, {"Lesion": PRESENT}, "use accept"),
        (ACCEPT, {"Lesion": ABSENT}, "use modify"),
        (REJECT, {"No finding": ABSENT}, "Lesion, Nodule"),
        (MODIFY, {"Fracture": PRESENT}, "Lesion, Nodule"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    context: FlowContext, made: Made, kind: FeedbackKind, labels: dict[str, Label], said: str
):
    with pytest.raises(StateError, match=said):
        say(context, made.uid, kind, **labels)
    assert operate.list_feedback(context, ALL) == []


@pytest.mark.parametrize("reference", ["9.9.9", "ffffffff"])
def test_what_names_no_result_is_refused(context: FlowContext, made: Made, reference: str):
    with pytest.raises(StateError) as caught:
        say(context, reference, ACCEPT)
    assert caught.value.missing, made


def test_a_job_that_found_nothing_cannot_be_judged(context: FlowContext):
    with context.write() as transaction:
        job_id = samples.rejected_job(transaction)
    with pytest.raises(StateError):
        say(context, job_id, ACCEPT)


def test_the_report_of_a_refusal_cannot_be_judged(context: FlowContext, made: Made):
    with context.write() as transaction:
        transaction.get_one(Job, made.job).state = "REJECTED"
    with pytest.raises(IllegalTransition, match="REJECTED"):
        say(context, made.uid, ACCEPT)


def test_the_newest_of_a_user_counts_and_the_history_stays(context: FlowContext, made: Made):
    for user, kind in (("ann", ACCEPT), ("bob", ACCEPT), ("ann", REJECT)):
        say(context, made.uid, kind, user)
    kept = operate.list_feedback(context, ALL)
    assert [(one.user, one.kind, one.counts) for one in kept] == [
        ("ann", REJECT, True),
        ("bob", ACCEPT, True),
        ("ann", ACCEPT, False),
    ]


def test_a_job_that_came_to_the_same_result_shares_its_feedback(context: FlowContext, made: Made):
    """The result of the first settings comes back after another one, and keeps its row."""
    with context.write() as transaction:
        study = transaction.get_one(Study, made.study)
        jobs = [made.job]
        for uid in ("2.25.2", "2.25.1"):
            rows.amend(transaction, study)
            jobs.append(rows.analysed(transaction, study, MODELS[0], uid, made.decisions).job)
    said = [say(context, job, ACCEPT, f"user {number}") for number, job in enumerate(jobs)]
    assert [one.sop_instance_uid for one in said] == ["2.25.1", "2.25.2", "2.25.1"]
    assert [one.holds for one in said] == ["current", "amended", "current"]


def test_feedback_stays_when_its_study_is_deleted(context: FlowContext, made: Made):
    say(context, made.uid, ACCEPT)
    cancel_deliveries(context, [1])
    delete_study(context, str(made.study))
    [record] = operate.list_feedback(context, ALL)
    assert (record.sop_instance_uid, record.holds) == (made.uid, "deleted")
    assert operate.training_labels(context, ALL).left_out == 1


def test_concordance_counts_by_version_month_and_class(context: FlowContext, clock: ManualClock):
    decided = [("present", "absent"), ("present", "undetermined"), ("absent", "present")]
    with context.write() as transaction:
        made = [
            rows.analysed(
                transaction,
                rows.routed(transaction, number),
                MODELS[0],
                f"2.25.{number}",
                {"Lesion": lesion, "Nodule": nodule},
            )
            for number, (lesion, nodule) in enumerate(decided, start=1)
        ]
    say(context, made[0].uid, REJECT)  # replaced by the next
    say(context, made[0].uid, MODIFY, Nodule=PRESENT)
    say(context, made[1].uid, ACCEPT)
    clock.advance(40 * 86400)
    say(context, made[2].uid, MODIFY, Lesion=UNCERTAIN)
    counted = [
        (line.month, line.finding, line.agreed, line.cases)
        for line in operate.list_concordance(context, ALL)
    ]
    assert counted == [
        ("2026-01", WHOLE, 1, 2),
        ("2026-01", "Lesion", 2, 2),
        ("2026-01", "Nodule", 0, 1),
        ("2026-02", WHOLE, 0, 1),
        ("2026-02", "Nodule", 1, 1),
    ]
    line = operate.list_concordance(context, ALL)[0]
    assert (line.model, line.version, line.share) == ("demo", "1", 0.5)
    assert (line.low, line.high) == wilson(1, 2)


def test_labels_for_the_training_are_those_that_users_agree_upon(context: FlowContext):
    results = rows.many_results(context, 6)
    last = {(one.study, one.model.name): one for one in results.all}
    for one in results.all:
        say(context, one.uid, ACCEPT)
    lesion = {"absent": PRESENT, "present": ABSENT}[last[1, "demo"].decisions["Lesion"]]
    say(context, last[1, "demo"].uid, MODIFY, "bob", Lesion=lesion)
    labels = operate.training_labels(context, ALL)
    gone = results.amended | results.withdrawn
    assert labels.left_out == len({one.study for one in results.all if one.uid in gone})
    text = as_csv(labels.studies).splitlines()
    assert text[0] == "StudyInstanceUID,Lesion,No finding,Nodule"
    values = {"present": "1", "absent": "0", "undetermined": "-1"}
    for line in text[1:]:
        uid, *all_cells = line.split(",")
        cells, none = [all_cells[0], all_cells[2]], all_cells[1]
        mine = [one.decisions for one in last.values() if one.study_uid == uid]
        [decisions] = {tuple(one.values()) for one in mine}
        expected = [values[one] for one in decisions]
        assert cells == (["-1", expected[1]] if uid == "1.2.3.1" else expected)
        if uid != "1.2.3.1":
            assert none == ("0" if "1" in cells else "1" if cells == ["0", "0"] else "-1")
    assert len(text) == 1 + len({one.study for one in results.all})


def test_what_is_not_said_of_a_study_is_uncertain_in_the_file(context: FlowContext, made: Made):
    with context.write() as transaction:
        other = rows.analysed(
            transaction, rows.routed(transaction, 2), MODELS[2], "2.25.2", {"Fracture": "present"}
        )
    say(context, made.uid, REJECT)
    say(context, other.uid, ACCEPT)
    say(context, made.uid, MODIFY, Lesion=ABSENT)
    assert as_csv(operate.training_labels(context, ALL).studies).splitlines() == [
        "StudyInstanceUID,Fracture,Lesion,No finding,Nodule",
        "1.2.3.1,-1,0,-1,-1",
        "1.2.3.2,1,-1,0,-1",
    ]


def test_the_evidence_of_a_study_has_its_feedback(context: FlowContext, made: Made):
    say(context, made.uid, ACCEPT)
    with context.database.read() as session:
        found = rows_of(session, session.get_one(Study, made.study))
    assert [row["sop_instance_uid"] for row in found["feedback"]] == [made.uid]
    note = f"result {made.uid}, by api"
    assert [row["note"] for row in found["events"] if row["entity"] == "feedback"] == [note]
    trail = show_study(context, str(made.study)).events
    assert [(one.to_state, one.note) for one in trail if one.entity == "feedback"] == [
        ("ACCEPT", note)
    ]


def test_feedback_goes_at_the_end_of_its_keep_time(
    context: FlowContext, made: Made, clock: ManualClock
):
    say(context, made.uid, ACCEPT)
    days = context.config.kept.feedback_days
    clock.advance(days * 86400)
    say(context, made.uid, REJECT)
    forget_feedback(context, context.now())
    assert len(operate.list_feedback(context, ALL)) == 2
    clock.advance(1)
    forget_feedback(context, context.now())
    assert [one.kind for one in operate.list_feedback(context, ALL)] == [REJECT]
