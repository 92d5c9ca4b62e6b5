"""A backup of a node at work; then everything is lost and restored, and the node goes on."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from tests.archive import Archive
from tests.node import Node
from tests.samples import changed, sample

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]

REFUSED = 0xA700
OPEN = {"QUEUED", "RUNNING", "PENDING", "SENDING", "WAITING"}


@contextmanager
def senders(one: Node, folder: Path) -> Iterator[list[str]]:
    """Send study after study; gives the UIDs of the instances that were acknowledged so far."""
    folder.mkdir()
    acknowledged: list[str] = []
    enough = threading.Event()

    def send() -> None:
        while not enough.wait(0.3):
            study, uid = generate_uid(), generate_uid()
            path = changed(folder, StudyInstanceUID=study, SOPInstanceUID=uid)
            if one.send(path) == [0]:
                acknowledged.append(uid)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield acknowledged
    finally:
        enough.set()
        thread.join(60)


def study_states(one: Node) -> set[object]:
    return {state for (state,) in one.query("SELECT state FROM study")}


def prepared(one: Node, peer: Archive, folder: Path) -> None:
    """A delivered study, one whose delivery waits, one in CONFLICT, and one that was deleted."""
    for name in ("MR_small.dcm", "CT_small.dcm"):
        assert one.send(sample(name)) == [0]
    one.wait_for(lambda: one.states("delivery") == ["STORED"] * 4)
    (number,) = one.query("SELECT id FROM study ORDER BY id LIMIT 1")
    assert one.command("studies", "delete", str(number[0]), "--yes").returncode == 0
    peer.status = REFUSED
    study = generate_uid()
    for patient in ("ONE", "OTHER"):
        new = {"StudyInstanceUID": study, "SOPInstanceUID": generate_uid()}
        assert one.send(changed(folder, PatientID=patient, **new)) == [0]
    assert one.send(changed(folder, StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.4")) == [0]
    one.wait_for(lambda: {"CONFLICT", "ROUTED"} <= study_states(one))
    one.wait_for(lambda: "WAITING" in one.states("delivery"))


def script(name: str, one: Node, folder: Path) -> None:
    """Run a script of deploy/ as cron would."""
    program = one.folder / "pacs-ai"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pacs_ai "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        [ROOT / "deploy" / name, one.config, folder],
        env={**os.environ, "PACS_AI": str(program), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_nothing_acknowledged_before_a_backup_is_lost(
    running: Node, peer: Archive, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    prepared(running, peer, tmp_path)
    with senders(running, tmp_path / "sent") as acknowledged:
        running.wait_for(lambda: len(acknowledged) > 3)
        before = set(acknowledged)
        script("backup.sh", running, backup)
        running.wait_for(lambda: len(acknowledged) > len(before))
    running.kill()
    shutil.rmtree(running.folder / "var")
    peer.status = 0
    (day,) = backup.glob("day-?")
    script("restore.sh", running, day)
    told = len(running.log)
    running.start()
    running.wait_for(lambda: study_states(running) == {"ROUTED", "CONFLICT", "DELETED"})
    running.wait_for(lambda: not OPEN & set(running.states("delivery") + running.states("job")))
    kept = {uid for (uid,) in running.query("SELECT sop_instance_uid FROM instance")}
    assert before <= kept
    assert "CONFLICT" in study_states(running)
    assert "a stored file is gone" not in running.log[told:]
    stored = running.query(
        "SELECT sop_instance_uid FROM result JOIN delivery ON result.id = delivery.result_id"
        " WHERE delivery.state = 'STORED'"
    )
    assert len(stored) >= 2 * len(before)
    assert {uid for (uid,) in stored} <= set(peer.uids())
    assert running.stop() == 0
    verified = running.command("audit", "verify")
    assert verified.returncode == 0, verified.stderr
