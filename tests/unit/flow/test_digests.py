"""Instances that a version before this received: their digests are SHA-256, and stay."""

import hashlib
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.dicom.part10 import read_meta
from pacs_ai.errors import Corrupted, StorageError
from pacs_ai.flow import recover
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.integrity import check_instances
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store.schema import Identity, Instance, Study, Variant
from tests.unit.flow.test_receive import files, rows

Send = Callable[..., StoreAnswer]


def as_before(context: FlowContext, table: type[Instance] | type[Variant]) -> None:
    """Give all rows of a table the digests that an older version gave them."""
    with context.write() as transaction:
        for row in transaction.scalars(sa.select(table)):
            content = context.spool.path_of(row.path).read_bytes()
            dataset = content[read_meta(content, own=True).dataset_offset :]
            row.digest = hashlib.sha256(dataset).hexdigest()


def test_new_rows_name_the_algorithm(context: FlowContext, ct: Dataset, send: Send):
    send(ct)
    (row,) = rows(context)
    assert row.digest.startswith("blake3:")
    check_instances(context.spool, [row])


def test_old_rows_are_checked_as_they_were_made(context: FlowContext, ct: Dataset, send: Send):
    send(ct)
    as_before(context, Instance)
    (row,) = rows(context)
    check_instances(context.spool, [row])
    file = context.spool.path_of(row.path)
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(Corrupted):
        check_instances(context.spool, [row])


def test_an_old_instance_that_comes_again_is_identical(
    context: FlowContext, ct: Dataset, send: Send
):
    send(ct)
    as_before(context, Instance)
    (before,) = rows(context)
    assert send(ct).status == 0x0000
    (row,) = rows(context)
    assert (row.path, row.digest) == (before.path, before.digest), "no old row is written again"
    assert len(files(context, "instances")) == 1
    assert not files(context, "variants")


def test_an_old_instance_that_comes_again_replaces_its_lost_file(
    context: FlowContext, ct: Dataset, send: Send
):
    send(ct)
    as_before(context, Instance)
    context.spool.path_of(rows(context)[0].path).unlink()
    with pytest.raises(StorageError):
        check_instances(context.spool, rows(context))
    assert send(ct).status == 0x0000
    check_instances(context.spool, rows(context))


def test_an_old_variant_that_comes_again_is_known(context: FlowContext, ct: Dataset, send: Send):
    send(ct)
    ct.StationName = "ROUTER"
    send(ct)
    as_before(context, Variant)
    assert send(ct).status == 0x0000
    assert len(files(context, "variants")) == 1
    assert len(files(context, "instances")) == 1


def test_other_content_under_an_old_row_is_refused(context: FlowContext, ct: Dataset, send: Send):
    send(ct)
    as_before(context, Instance)
    ct.PixelData = bytes(len(ct.PixelData))
    assert send(ct).status == 0xC003


def test_an_adopted_orphan_keeps_its_sender(context: FlowContext, ct: Dataset, send: Send):
    send(ct)
    (before,) = rows(context)
    with context.write() as transaction:
        for table in (Instance, Identity, Study):
            transaction.execute(sa.delete(table))
    recover.restart(context, Arrivals())
    (row,) = rows(context)
    assert (row.calling_aet, row.called_aet) == ("MODALITY", "AI_NODE")
    assert row.digest == before.digest
    with context.database.read() as session:
        study = session.scalars(sa.select(Study)).one()
    assert (study.calling_aet, study.called_aet) == ("MODALITY", "AI_NODE")
