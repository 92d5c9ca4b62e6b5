"""Files and rows are compared in batches, folder by folder, however many there are."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs_ai.flow import check_files
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.check_files import FileCheck
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.schema import Instance, Variant
from pacs_ai.store.spool import Spool
from tests.spool_files import instance_paths, result_paths, variant_paths
from tests.unit.store.samples import add_instance, arrival, sender

FOLDERS = ("00", "1a", "1b", "aa", "ff")
IN_EACH = 5
AT_ONCE = 3


@pytest.fixture
def paths(context: FlowContext, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files of this node that rows name, and one row of another node."""
    monkeypatch.setattr(check_files, "AT_ONCE", AT_ONCE)
    made = [
        f"node/instances/{folder}/{folder}{number:030x}.dcm"
        for folder in FOLDERS
        for number in range(IN_EACH)
    ]
    with context.write() as transaction:
        for number, path in enumerate(made):
            add_instance(transaction, arrival(number, path=path), sender())
        elsewhere = arrival(1000, path="other/instances/00/00.dcm")
        add_instance(transaction, elsewhere, replace(sender(), node="other"))
    for path in made:
        context.spool.path_of(path).write_bytes(b"as it was sent")
    return made


@pytest.fixture
def asked(context: FlowContext) -> Iterator[list[str]]:
    """The queries for paths."""
    texts: list[str] = []

    def look(*given: object) -> None:
        text = str(given[2])
        if text.startswith("SELECT") and ".path" in text:
            texts.append(text)

    sa.event.listen(context.database.engine, "before_cursor_execute", look)
    yield texts
    sa.event.remove(context.database.engine, "before_cursor_execute", look)


def missing(context: FlowContext) -> set[str]:
    with context.database.read() as session:
        return set(session.scalars(sa.select(Instance.path).where(Instance.missing.is_(True))))


def check(context: FlowContext) -> int:
    return FileCheck(context, Arrivals()).run()


def test_what_is_whole_is_left_alone(
    context: FlowContext, paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    names_in = Spool.names_in

    def names(spool: Spool, folder: str) -> set[str]:
        read[folder] += 1
        return names_in(spool, folder)

    monkeypatch.setattr(Spool, "names_in", names)
    assert check(context) == 0
    assert (missing(context), instance_paths(context.spool)) == (set(), set(paths))
    assert set(read.values()) == {1}, "each folder is read once"
    assert len(read) == 2 * 256


def test_each_row_without_a_file_is_noted_until_the_file_is_back(
    context: FlowContext, paths: list[str], tmp_path: Path
) -> None:
    gone = set(paths[1::3])
    for path in gone:
        context.spool.path_of(path).rename(tmp_path / Path(path).name)
    assert check(context) == 0
    assert missing(context) == gone, "and nothing of another node"
    back = sorted(gone)[::2]
    for path in back:
        (tmp_path / Path(path).name).rename(context.spool.path_of(path))
    assert check(context) == 0
    assert missing(context) == gone.difference(back)


def test_all_files_may_be_gone(context: FlowContext, paths: list[str]) -> None:
    for path in paths:
        context.spool.path_of(path).unlink()
    check(context)
    assert missing(context) == set(paths)


def test_each_file_without_a_row_is_found(context: FlowContext, paths: list[str]) -> None:
    """In folders with rows, before, between and after them, and in folders without."""
    names = ["00/000.dcm", "1a/1a1.dcm", "aa/aaf.dcm", "02/021.dcm", "fe/fe1.dcm"]
    for name in names:
        (context.spool.home / "instances" / name).write_bytes(b"not whole")
    (context.spool.home / "instances" / "00" / "readme").touch()
    assert check(context) == len(names)
    whole = {path for path in instance_paths(context.spool) if path.endswith(".dcm")}
    assert whole == set(paths)
    aside = {path.name for path in (context.spool.home / "quarantine").iterdir()}
    assert aside == {Path(name).name for name in names}


def test_a_variant_may_have_changed_places_with_its_instance(
    context: FlowContext, paths: list[str]
) -> None:
    aside = "node/variants/1.dcm"
    context.spool.path_of(aside).write_bytes(b"another wrapping")
    with context.write() as transaction:
        row = transaction.scalars(sa.select(Instance).where(Instance.path == paths[7])).one()
        row.path = aside
        transaction.flush()
        transaction.add(
            Variant(
                instance_id=row.id,
                identity_id=row.identity_id,
                transfer_syntax_uid=row.transfer_syntax_uid,
                path=paths[7],
                bytes=1,
                digest=row.digest,
                received_at=row.received_at,
            )
        )
    assert check(context) == 0
    assert missing(context) == set()
    assert variant_paths(context.spool) == {aside}
    assert set(paths) <= instance_paths(context.spool)


def test_results_without_a_row_are_removed(context: FlowContext, paths: list[str]) -> None:
    stray = {context.spool.write_result([b"x"], ".dcm", group=group) for group in ("", "00", "ff")}
    assert result_paths(context.spool) == stray
    check(context)
    assert result_paths(context.spool) == set()
    assert instance_paths(context.spool) == set(paths)


@pytest.mark.usefixtures("paths")
def test_no_query_asks_for_all_rows(context: FlowContext, asked: list[str]) -> None:
    check(context)
    assert [text for text in asked if " LIMIT " not in text and " IN (" not in text] == []
    assert sum(" LIMIT " in text for text in asked) > len(FOLDERS) * IN_EACH / AT_ONCE
