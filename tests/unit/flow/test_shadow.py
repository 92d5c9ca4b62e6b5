"""Another version analyses in shadow: afterwards, kept, and never sent."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import ModelEntry, Rule
from pacs_ai.domain import DeliveryState, JobId, ResultKind, TaskKind
from pacs_ai.flow import shadow
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import activation
from pacs_ai.flow.recover import LeaseWatch, sweep
from pacs_ai.flow.retain import expire_predictions
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store.kept_predictions import KeptPrediction
from pacs_ai.store.schema import Delivery
from tests.unit.flow.analysed import Patient, demo, on_a_node, other_version

NEW = "demo@999"
NEVER = threading.Event()


@pytest.fixture
def classifiers(tmp_path: Path) -> dict[str, Classifier]:
    new = load_bundle(other_version(tmp_path / "new", "999"))
    return {"demo": demo(), NEW: Classifier.load(new)}


@pytest.fixture
def patient(
    context: FlowContext,
    clock: ManualClock,
    send: Callable[..., StoreAnswer],
    ct: Dataset,
    classifiers: dict[str, Classifier],
) -> Patient:
    """A node with a version in shadow, and a study that is routed."""
    assert send(ct).status == 0x0000
    rule = Rule(name="all", model="demo", send_to=("archive",), results=(ResultKind.REPORT,))
    one = on_a_node(context, clock, rule)
    folder = str(classifiers[NEW].bundle.folder)
    models = {
        "demo": ModelEntry(bundle="demo"),
        NEW: ModelEntry(bundle=folder, shadow=True),
    }
    config = one.context.config.model_copy(update={"models": models})
    one.context = replace(one.context, config=config)
    one.route()
    return one


def rows(patient: Patient) -> dict[str, KeptPrediction]:
    with patient.context.database.read() as session:
        return {row.origin: row for row in session.scalars(sa.select(KeptPrediction))}


def tasks(patient: Patient) -> set[str]:
    sweep(patient.context, LeaseWatch())
    with patient.context.database.read() as session:
        return patient.context.engine.existing(session, TaskKind.SHADOW)


def stored(patient: Patient) -> None:
    with patient.context.write() as transaction:
        transaction.execute(sa.update(Delivery).values(state=DeliveryState.STORED))


def run(patient: Patient, classifiers: dict[str, Classifier]) -> KeptPrediction:
    analyse(patient.context, classifiers, JobId(patient.job().id))
    stored(patient)
    (key,) = tasks(patient)
    shadow.analyse_in_shadow(patient.context, classifiers, key, NEVER)
    return rows(patient)["shadow"]


def test_it_begins_when_the_results_have_gone(
    patient: Patient, classifiers: dict[str, Classifier]
) -> None:
    analyse(patient.context, classifiers, JobId(patient.job().id))
    assert tasks(patient) == set()
    stored(patient)
    assert tasks(patient) == {str(rows(patient)["shadow"].id)}


def test_it_is_kept_and_nothing_is_made_of_it(
    patient: Patient, classifiers: dict[str, Classifier]
) -> None:
    made = run(patient, classifiers)
    live = rows(patient)["live"]
    assert (made.state, made.model_version) == ("DONE", "999")
    assert live.model_version == demo().identity.version
    assert made.content == live.content  # the same network
    assert set(made.content["classes"]) == {one.name for one in demo().identity.classes}
    assert len(patient.results()) == len(patient.deliveries()) == 1
    assert tasks(patient) == {str(made.id)}  # this one nobody has finished; no other is asked for


def test_the_version_that_is_active_has_no_shadow_of_itself(
    patient: Patient, classifiers: dict[str, Classifier]
) -> None:
    activation.activate_model(patient.context, NEW)
    analyse(patient.context, classifiers, JobId(patient.job().id))
    assert patient.job().model_version == "999"
    assert rows(patient) == {}


def test_a_busy_node_is_left_alone(patient: Patient, classifiers: dict[str, Classifier]) -> None:
    analyse(patient.context, classifiers, JobId(patient.job().id))
    stored(patient)
    (key,) = tasks(patient)
    with patient.context.write() as transaction:
        transaction.execute(sa.text("UPDATE job SET state = 'RUNNING'"))
    stop = threading.Event()
    stop.set()
    shadow.analyse_in_shadow(patient.context, classifiers, key, stop)
    assert (rows(patient)["shadow"].state, rows(patient)["shadow"].attempts) == ("PENDING", 0)


def test_what_cannot_be_predicted_says_why(
    patient: Patient, classifiers: dict[str, Classifier]
) -> None:
    analyse(patient.context, classifiers, JobId(patient.job().id))
    stored(patient)
    (key,) = tasks(patient)
    with patient.context.write() as transaction:
        transaction.execute(sa.text("UPDATE study SET state = 'PURGED'"))
    shadow.analyse_in_shadow(patient.context, classifiers, key, NEVER)
    row = rows(patient)["shadow"]
    assert (row.state, row.error_code) == ("FAILED", "STATE")


def test_a_version_that_the_configuration_lost_is_said(
    patient: Patient, classifiers: dict[str, Classifier]
) -> None:
    analyse(patient.context, classifiers, JobId(patient.job().id))
    stored(patient)
    (key,) = tasks(patient)
    shadow.analyse_in_shadow(patient.context, {}, key, NEVER)
    assert rows(patient)["shadow"].error_code == "MODEL"


def test_they_are_kept_for_as_long_as_the_configuration_says(
    patient: Patient, classifiers: dict[str, Classifier]
) -> None:
    made = run(patient, classifiers)
    days = patient.context.config.kept.shadow_days
    for more, left in ((-1, 2), (1, 0)):
        expire_predictions(patient.context, made.created_at + timedelta(days=days + more))
        assert len(rows(patient)) == left
