"""``pacs-ai pull`` says what it does, does nothing by mistake, and shows texts whole."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_ai.store import pulls
from pacs_ai.store.pulls import Failure
from tests.scripted_archive import ScriptedArchive, ct, scripted_archive
from tests.unit.cli.conftest import Installation
from tests.unit.store.samples import NOW

LONG = "1.2.826.0.1.3680043.8.498.986941558109826256796257189761246"
WHY = (
    "archive: "
    + "a reason with all that a person has to know to do something about it, " * 3
    + "END"
)
YEAR = ("--where", "StudyDate=20240101-20241231")


@pytest.fixture
def asked(node: Installation, tmp_path: Path) -> Iterator[Installation]:
    """A node with an archive of two studies."""
    images = {uid: ct(uid, StudyDate=day) for uid, day in ((LONG, "20240301"), ("1.3", "20230301"))}
    with scripted_archive(ScriptedArchive(images)) as url:
        config = tmp_path / "pacs-ai.toml"
        more = f'[peers.archive]\nkind = "dicomweb"\nurl = "{url}"\n'
        config.write_text(config.read_text() + more)
        yield node


def listed(node: Installation) -> dict[str, str]:
    rows = json.loads(node.pacs_ai("pull", "--json").out)
    return {row["study_instance_uid"]: row["state"] for row in rows}


def test_what_is_found_is_shown_and_then_fetched(asked: Installation) -> None:
    shown = asked.pacs_ai("pull", "--from", "archive", *YEAR, "--dry-run")
    assert shown.code == 0
    assert LONG in shown.out
    assert "archive: 1 study found" in shown.err
    assert listed(asked) == {}
    done = asked.pacs_ai("pull", "--from", "archive", *YEAR)
    assert done.out == "1 study to be fetched from archive; 0 known already\n"
    assert "pacs-ai pull shows how far" in done.err
    assert listed(asked) == {LONG: "QUEUED"}
    again = asked.pacs_ai("pull", "--from", "archive", *YEAR)
    assert again.out == "0 studies to be fetched from archive; 1 known already\n"


def test_a_list_shows_whole_uids_and_whole_reasons(asked: Installation) -> None:
    with asked.database.write("node/1/1", NOW) as transaction:
        pulls.enter(transaction, "archive", [LONG])
        claimed = pulls.claim(transaction, "archive")
        assert claimed is not None
        pulls.fail(transaction, claimed, Failure("PEER", WHY, 0))
    shown = asked.pacs_ai("pull")
    words = " ".join(shown.out.split())
    assert f"{LONG}: {WHY}" in words
    assert "archive: 1 FAILED" in shown.err


def test_studies_are_cancelled(asked: Installation) -> None:
    asked.pacs_ai("pull", "--from", "archive", "1.1", "1.2", "1.3")
    assert asked.pacs_ai("pull", "--cancel", "1.1").out == "1 study cancelled\n"
    assert asked.pacs_ai("pull", "--cancel", "--from", "archive").out == "2 studies cancelled\n"
    assert set(listed(asked).values()) == {"CANCELLED"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("1.2", "--from", "archive", "--dry-run"), "--dry-run goes with --where"),
        (("--from", "archive", "--dry-run"), "--dry-run goes with --where"),
        (("1.2", "--from", "archive", *YEAR), "--where does not go with STUDY"),
        (("--cancel", "--from", "archive", *YEAR), "--where does not go with"),
        (("--cancel", "--list", "empty"), "the file names no study"),
        (("--list", "absent"), "absent is not there, or is no text"),
        (("1.2",), "name an archive with --from; the archives of this configuration: archive"),
        (("1.2", "--from", "out"), "peers.out: no study can be fetched from its kind; the"),
        (("1.2", "--from", "nobody"), "peers.nobody: there is no such section; the archives of"),
        (("--from", "archive", "--where", "date=20240101"), "condition 1 does not begin with a k"),
        (("--from", "archive", "--where", "StudyDate="), "condition 1 has no value to search for"),
        (("--from", "archive", "--where", "StudyDate"), "--where takes KEYWORD=VALUE"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(
    asked: Installation, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "empty").write_text("# nothing\n")
    config = tmp_path / "pacs-ai.toml"
    config.write_text(config.read_text() + '[peers.out]\nkind = "folder"\npath = "out"\n')
    asked.pacs_ai("pull", "--from", "archive", "9.9")
    done = asked.pacs_ai("pull", *words)
    assert done.code in (1, 2)
    assert said in done.err
    assert listed(asked) == {"9.9": "QUEUED"}
