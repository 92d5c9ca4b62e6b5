"""Versions are switched while studies stream in: every study has one result, by the right one."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from tests.archive import Archive, archive, to_archive
from tests.node import Node, node
from tests.samples import new_study
from tests.unit.flow.analysed import demo, other_version

OLD, NEW = demo().identity.version, "999"

MODELS = """
[models.demo]
bundle = "demo"
[models."demo@999"]
bundle = "{folder}"
"""


def send(one: Node, folder: Path, count: int) -> list[str]:
    """Send studies, one an association; return their Study Instance UIDs."""
    sent = []
    for _ in range(count):
        paths = new_study(folder / str(len(list(folder.iterdir()))))
        assert one.send(*paths) == [0]
        sent.append(str(pydicom.dcmread(paths[0]).StudyInstanceUID))
    return sent


TRAIL = """
SELECT entity, entity_id FROM event
WHERE entity = 'model' OR (entity = 'job' AND to_state = 'RUNNING') ORDER BY id
"""


def right(one: Node) -> bool:
    """Tell whether each job ran the version that was active when it began, by the audit trail."""
    active, due = OLD, dict[str, str]()
    for entity, key in one.query(TRAIL):
        if entity == "model":
            active = OLD if active == NEW else NEW
        else:
            due[str(key)] = active
    return due == dict(one.query("SELECT id, model_version FROM job"))


def switch(one: Node, *words: str) -> None:
    done = one.command("models", *words)
    assert done.returncode == 0, done.stderr


def has_all(one: Node, peer: Archive, sent: list[str]) -> bool:
    jobs = one.states("job") == ["SUCCEEDED"] * len(sent)
    reports = [str(each.StudyInstanceUID) for each in peer.stored if each.Modality == "SR"]
    return jobs and sorted(reports) == sorted(sent)


@pytest.mark.slow
def test_each_study_has_one_result_of_the_version_that_was_active(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    archive_port = free_port()
    models = MODELS.format(folder=other_version(tmp_path / "new", NEW))
    rule = 'results = ["report"]'
    studies = tmp_path / "studies"
    studies.mkdir()
    with (
        archive(archive_port, 0) as peer,
        node(
            tmp_path / "node", free_port(), extra=models + to_archive(archive_port, rule=rule)
        ) as one,
    ):
        one.start()
        sent = send(one, studies, 3)
        one.wait_for(lambda: has_all(one, peer, sent))
        for words in (("activate", f"demo@{NEW}"), ("rollback", "demo"), ("rollback", "demo")):
            sent += send(one, studies, 3)
            switch(one, *words)
            sent += send(one, studies, 3)
        one.wait_for(lambda: has_all(one, peer, sent))
        assert right(one)

        switch(one, "rollback", "demo")
        one.kill()  # after a change nothing else is needed to make it hold
        one.start()
        sent += send(one, studies, 2)
        one.wait_for(lambda: has_all(one, peer, sent))
        assert right(one)
        ran = one.query("SELECT model_version FROM job ORDER BY created_at DESC LIMIT 2")
        assert ran == [(OLD,), (OLD,)]


@pytest.mark.slow
def test_jobs_of_a_disabled_model_wait_also_over_a_kill(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    archive_port = free_port()
    studies = tmp_path / "studies"
    studies.mkdir()
    extra = to_archive(archive_port, rule='results = ["report"]')
    with (
        archive(archive_port, 0) as peer,
        node(tmp_path / "node", free_port(), extra=extra) as one,
    ):
        one.start()
        switch(one, "disable", "demo")
        sent = send(one, studies, 2)
        one.wait_for(lambda: one.states("job") == ["WAITING"] * 2)
        one.kill()
        one.start()
        sent += send(one, studies, 1)
        one.wait_for(lambda: one.states("job") == ["WAITING"] * 3)
        switch(one, "activate", "demo")
        one.wait_for(lambda: has_all(one, peer, sent))


@pytest.mark.slow
def test_a_version_in_shadow_predicts_and_sends_nothing(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    archive_port = free_port()
    models = MODELS.format(folder=other_version(tmp_path / "new", NEW)) + "shadow = true\n"
    extra = models + to_archive(archive_port, rule='results = ["report"]')
    studies = tmp_path / "studies"
    studies.mkdir()
    done = "SELECT origin, model_version FROM kept_prediction WHERE state = 'DONE' ORDER BY id"
    with (
        archive(archive_port, 0) as peer,
        node(tmp_path / "node", free_port(), extra=extra) as one,
    ):
        one.start()
        one.wait_for(lambda: one.children("pacs_ai.node.shadow_worker"))
        (shadow,) = one.children("pacs_ai.node.shadow_worker")
        sent = send(one, studies, 2)
        one.wait_for(lambda: len(one.query(done)) == 4)
        assert set(one.query(done)) == {("live", OLD), ("shadow", NEW)}
        os.kill(shadow, signal.SIGKILL)  # another one takes its place
        sent += send(one, studies, 1)
        one.wait_for(lambda: len(one.query(done)) == 6)
        assert has_all(one, peer, sent)
        compared = one.command("models", "compare", f"demo@{OLD}", f"demo@{NEW}", "--json")
        assert compared.returncode == 0, compared.stderr
        assert json.loads(compared.stdout)["replayed"] == 0
        assert (one.folder / "comparison.html").is_file()
        assert one.stop() == 0
