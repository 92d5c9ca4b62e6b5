"""Files that were to go with their study, and are there at the next start."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.domain import StudyState
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.recover import restart
from pacs_ai.flow.remove import delete
from pacs_ai.flow.retain import retain
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import studies
from pacs_ai.store.schema import Study
from tests.spool_files import instance_paths

Send = Callable[..., StoreAnswer]


def purged(context: FlowContext, clock: ManualClock) -> None:
    clock.advance(timedelta(days=8).total_seconds())
    assert retain(context) == 1


def deleted(context: FlowContext, clock: ManualClock) -> None:
    clock.advance(60)
    with context.database.read() as session:
        study = session.get_one(Study, 1)
    delete(context, study)


Removal = Callable[[FlowContext, ManualClock], None]
removals = pytest.mark.parametrize("remove", [purged, deleted])


@pytest.fixture
def file(context: FlowContext, send: Send, ct: Dataset) -> Path:
    """The instance of a study that is done."""
    assert send(ct).status == 0
    now = context.now()
    with context.write() as transaction:
        assert studies.close(transaction, 1, 1, reason="quiet")
        assert studies.routed(transaction, 1, 1, reason="")
    return written(only_file(context), now)


def only_file(context: FlowContext) -> Path:
    (path,) = instance_paths(context.spool)
    return context.spool.path_of(path)


def written(file: Path, when: datetime) -> Path:
    os.utime(file, (when.timestamp(), when.timestamp()))
    return file


@contextmanager
def unremovable(file: Path) -> Iterator[None]:
    """Put a folder where a file is: the disk refuses to remove it, whoever asks."""
    away = file.with_suffix(".away")
    file.rename(away)
    file.mkdir()
    yield
    file.rmdir()
    away.rename(file)


def state(context: FlowContext) -> str:
    with context.database.read() as session:
        return session.get_one(Study, 1).state


@removals
def test_one_that_comes_back_with_a_backup_starts_nothing(
    context: FlowContext, clock: ManualClock, file: Path, remove: Removal, tmp_path: Path
):
    backup = shutil.copy2(file, tmp_path)
    remove(context, clock)
    before = state(context)
    shutil.copy2(backup, file)
    restart(context, Arrivals())
    assert state(context) == before
    assert instance_paths(context.spool) == set()


@removals
def test_one_that_the_disk_did_not_let_go_goes_at_the_next_start(
    context: FlowContext, clock: ManualClock, file: Path, remove: Removal
):
    with unremovable(file):
        remove(context, clock)
    restart(context, Arrivals())
    assert state(context) in (StudyState.PURGED, StudyState.DELETED)
    assert instance_paths(context.spool) == set()


@removals
def test_one_that_came_after_the_removal_is_adopted(
    context: FlowContext, clock: ManualClock, file: Path, remove: Removal, tmp_path: Path
):
    backup = shutil.copy2(file, tmp_path)
    remove(context, clock)
    clock.advance(60)
    written(Path(shutil.copy2(backup, file)), context.now())
    restart(context, Arrivals())
    assert state(context) == StudyState.RECEIVING
    assert only_file(context) == file


def test_one_that_cannot_be_removed_keeps_no_other_from_going(
    context: FlowContext, clock: ManualClock, file: Path, send: Send, ct: Dataset
):
    ct.SOPInstanceUID = f"{ct.SOPInstanceUID}.2"
    ct.file_meta.MediaStorageSOPInstanceUID = ct.SOPInstanceUID
    send(ct)
    with context.write() as transaction:
        assert studies.close(transaction, 1, 2, reason="quiet")
        assert studies.routed(transaction, 1, 2, reason="")
    with unremovable(file):
        purged(context, clock)
    assert only_file(context) == file
