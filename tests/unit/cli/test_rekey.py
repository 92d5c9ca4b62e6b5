"""``pacs-ai db rekey``: the way out, loud, audited, and honest about what is lost."""

import json
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.data import get_testdata_file

from pacs_ai.cli.node import opened_node
from pacs_ai.config import load_config
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.schema import Event, Identity, Instance, Study
from pacs_ai.store.sitekey import KEY_FILE, MARK_FILE
from pacs_ai.store.spool import Spool
from tests.unit.cli.conftest import Answer, Installation
from tests.unit.flow.conftest import arrive

Call = Callable[..., Answer]


def ct(number: int, **changes: object) -> pydicom.Dataset:
    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    dataset = pydicom.dcmread(path)
    dataset.AccessionNumber = f"ACC{number}"
    dataset.StudyInstanceUID = f"1.2.3.{number}"
    dataset.SOPInstanceUID = f"1.2.3.{number}.1"
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def receive(node: Installation, *datasets: pydicom.Dataset) -> list[int]:
    """Store data sets as the node would, with the secret that its spool has now."""
    with opened_node(load_config(node.folder / "pacs-ai.toml")) as context:
        spool = Spool(context.spool.root, "node")
        spool.open()
        there = FlowContext(
            context.config,
            context.database,
            spool,
            context.engine,
            context.clock,
            context.owner,
            context.secret,
        )
        return [arrive(there, Arrivals(), one, "a").status for one in datasets]


@pytest.fixture
def spool(node: Installation) -> Path:
    """Two studies, of which the second has lost its file."""
    assert receive(node, ct(1), ct(2)) == [0, 0]
    folder = node.folder / "var" / "spool"
    with node.database.read() as session:
        path = session.scalars(sa.select(Instance.path).order_by(Instance.id)).all()[1]
    (folder / path).unlink()
    return folder


def shown(node: Installation, accession: str) -> int:
    return node.pacs_ai("studies", "show", "--accession", accession).code


def no_key(spool: Path) -> None:
    (spool / KEY_FILE).unlink()


def key_of_another(spool: Path) -> None:
    (spool / KEY_FILE).write_bytes(bytes(32))


def mark_of_another(spool: Path) -> None:
    (spool / MARK_FILE).write_text("0" * 32)


@pytest.mark.parametrize("fault", [no_key, key_of_another])
def test_what_can_be_read_is_found_again_and_the_rest_is_said_to_be_lost(
    node: Installation, spool: Path, fault: Callable[[Path], None]
) -> None:
    assert shown(node, "ACC1") == 0
    fault(spool)
    assert shown(node, "ACC1") == 1
    checked = node.pacs_ai("config", "check")
    assert checked.code == 2
    assert "db rekey" in checked.err
    dry = node.pacs_ai("db", "rekey", "--dry-run")
    assert dry.code == 0
    assert "1 of 2 studies would be rekeyed" in dry.out
    assert shown(node, "ACC1") == 1
    done = node.pacs_ai("db", "rekey")
    assert done.code == 0, done.err
    assert "1 of 2 studies rekeyed" in done.out
    assert "accession number" in done.out
    assert shown(node, "ACC1") == 0
    assert shown(node, "ACC2") == 1
    with node.database.read() as session:
        (event,) = session.scalars(sa.select(Event).where(Event.to_state == "rekeyed"))
    assert event.actor == "operator"
    assert KEY_FILE in event.note
    assert "1 studies rekeyed, 1 without files" in event.note
    assert node.pacs_ai("config", "check").code == 0


def test_afterwards_another_patient_is_still_another_and_a_lost_one_is_nobody(
    node: Installation, spool: Path
) -> None:
    no_key(spool)
    assert node.pacs_ai("db", "rekey").code == 0
    same = ct(1, SOPInstanceUID="1.2.3.1.2")
    other = ct(1, SOPInstanceUID="1.2.3.1.3", PatientID="SOMEBODY ELSE")
    unknown = ct(2, SOPInstanceUID="1.2.3.2.2", PatientID="SOMEBODY ELSE")
    assert receive(node, same, unknown) == [0, 0]
    assert (node.study(1).state, node.study(2).state) == ("RECEIVING", "RECEIVING")
    assert receive(node, other) == [0]
    assert node.study(1).state == "CONFLICT"


def test_a_spool_of_another_database_can_be_taken_over(node: Installation, spool: Path) -> None:
    mark_of_another(spool)
    assert node.pacs_ai("config", "check").code == 2
    answer = json.loads(node.pacs_ai("db", "rekey", "--json").out)
    assert answer["done"]
    assert (answer["studies"], answer["renewed"], answer["lost"]) == (2, 1, 1)
    assert node.pacs_ai("config", "check").code == 0
    assert shown(node, "ACC1") == 0


def test_where_nothing_is_wrong_nothing_is_done(node: Installation, spool: Path) -> None:
    key = (spool / KEY_FILE).read_bytes()
    answer = node.pacs_ai("db", "rekey")
    assert answer.code == 0
    assert "there is nothing to do" in answer.out
    assert (spool / KEY_FILE).read_bytes() == key
    with node.database.read() as session:
        assert session.scalars(sa.select(Study.patient_key)).all() != ["", ""]
        assert session.scalars(sa.select(Identity.fields)).all() != [{}, {}]


def test_not_while_a_node_works(node: Installation, spool: Path) -> None:
    no_key(spool)
    working = Spool(spool, "node")
    working.lock()
    answer = node.pacs_ai("db", "rekey")
    assert answer.code == 2
    assert "node works in this spool" in answer.err
    assert not (spool / KEY_FILE).exists()
    working.unlock()
    assert node.pacs_ai("db", "rekey").code == 0
