"""`pacs-ai listen` with nothing else, as anybody would start it, and `pacs-ai work`."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_ai.config.sections import Limits
from tests import preloaded
from tests.node import PATIENCE, wait_for
from tests.samples import sample

pytestmark = pytest.mark.e2e


class Home:
    """Somebody's machine: an empty working directory and a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *words: str, **environment: str) -> None:
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pacs_ai", *words],
                stdout=out,
                stderr=err,
                cwd=self.folder,
                env={**self.environment, **environment},
            )

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()

    def port(self) -> str:
        """Wait until it says where it listens."""
        wait_for(lambda: "listens as" in self.out, lambda: self.err)
        match = re.search(r"listens as AI_NODE on 127\.0\.0\.1:(\d+)", self.out)
        assert match is not None, self.out
        return match[1]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def pacs_ai(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the node, which is a process as anybody would start it."""
        return preloaded.run(words, self.folder, PATIENCE, self.environment)

    def studies(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(self.pacs_ai("studies", "list", "--json").stdout)
        return rows


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    one = Home(tmp_path)
    yield one
    if one.process is not None and one.process.poll() is None:
        one.process.kill()
        one.process.wait()


@pytest.fixture
def ct() -> str:
    return str(sample())


def test_with_nothing_else_it_listens_and_says_all_about_itself(home: Home, ct: str) -> None:
    home.start("listen", "--aet", "AI_NODE", "--port", "0")
    port = home.port()
    wait_for(lambda: "pacs-ai studies list" in home.out)
    for said in (
        "not a medical device",
        "from this machine only",
        "none: the defaults",
        "demo 1.1.1, sha256 ",
        "everything: every study -> demo -> report, capture -> the spool only",
        f"sqlite:///{home.folder}/state/pacs-ai/pacs-ai.db",
        f"{home.folder}/state/pacs-ai/spool",
        "64 associations, 2.0GiB an instance",
        f"pacs-ai echo AI_NODE@127.0.0.1:{port}",
        f"storescu -aec AI_NODE 127.0.0.1 {port} file.dcm",
    ):
        assert said in home.out
    assert all(f" {limit}=" in home.err for limit in Limits.model_fields)
    peer = f"AI_NODE@127.0.0.1:{port}"
    assert home.pacs_ai("echo", peer).returncode == 0
    assert home.pacs_ai("send", peer, ct).returncode == 0
    assert home.pacs_ai("studies", "close", "1").returncode == 0  # no need to wait a minute
    wait_for(lambda: home.studies()[0]["seconds"] is not None, lambda: home.err)
    (study,) = home.studies()
    assert study["state"] == "ROUTED"
    assert "lesion" in str(study["outcome"])
    assert home.stop() == 0
    assert "Traceback" not in home.err


def test_values_of_rules_are_not_told(home: Home) -> None:
    """They may name a patient, and what a service prints stands in the journal."""
    (home.folder / "pacs-ai.toml").write_text(
        '[[rules]]\nname = "one"\nmodel = "demo"\n'
        'when = { Modality = ["CT", "MR"], PatientID = "CANARY17" }\n',
        "utf-8",
    )
    home.start("listen", "--aet", "AI_NODE", "--port", "0", "--no-workers")
    home.port()
    wait_for(lambda: "pacs-ai studies list" in home.out)
    assert "one: Modality = CT or MR, PatientID = *** -> demo" in home.out
    assert "CANARY17" not in home.out + home.err
    assert home.stop() == 0


@pytest.mark.slow
def test_the_command_it_shows_finds_data_that_flags_have_put_elsewhere(home: Home) -> None:
    database, spool = f"sqlite:///{home.folder}/else/db", f"{home.folder}/else/spool"
    home.start(
        *("listen", "--aet", "AI_NODE", "--port", "0", "--no-workers"),
        *("--database", database, "--spool", spool),
    )
    home.port()
    wait_for(lambda: "pacs-ai studies list" in home.out)
    command = home.out.strip().splitlines()[-1].strip()
    *settings, _, _, _ = command.split()
    home.environment.update(setting.split("=", 1) for setting in settings)
    done = home.pacs_ai("studies", "list")
    assert (done.returncode, done.stderr) == (0, "no studies\n")
    assert home.stop() == 0


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM]
)
def test_it_ends_with_0_and_a_second_start_finds_its_data(
    number: signal.Signals, home: Home
) -> None:
    for _ in range(2):
        home.start("listen", "--aet", "AI_NODE", "--port", "0", "--no-workers")
        home.port()
        assert home.stop(number) == 0


def test_a_started_node_has_no_tensorflow(home: Home) -> None:
    """Every import of the daemon and of its worker, as the interpreter itself reports them."""
    home.start("listen", "--aet", "AI_NODE", "--port", "0", "-v", PYTHONPROFILEIMPORTTIME="1")
    home.port()
    wait_for(lambda: "worker ready" in home.err, lambda: home.err[-500:])
    loaded = set(re.findall(r"import time:.*\| +([\w.]+)", home.err))
    assert {"pacs_ai.node.daemon", "pacs_ai.flow.analyse", "onnxruntime", "highdicom"} <= loaded
    assert loaded.isdisjoint({"tensorflow", "keras", "tf2onnx", "training"})
    assert home.stop() == 0


@pytest.mark.slow
def test_a_taken_port_and_a_taken_spool_are_said_in_a_line(home: Home) -> None:
    home.start("listen", "--aet", "AI_NODE", "--port", "0", "--no-workers")
    port = home.port()
    other = home.pacs_ai("listen", "--port", port, "--spool", "other", "--no-workers")
    assert other.returncode == 2
    assert other.stderr.splitlines()[-1].startswith("pacs-ai: CONFIG: ")
    assert "Traceback" not in other.stderr
    same = home.pacs_ai("listen", "--port", "0", "--no-workers")
    assert same.returncode == 2
    assert "another pacs-ai daemon works in it" in same.stderr


def test_work_once_does_what_a_node_without_workers_has_left(home: Home, ct: str) -> None:
    home.start("listen", "--aet", "AI_NODE", "--port", "0", "--workers", "0")
    assert home.pacs_ai("send", f"AI_NODE@127.0.0.1:{home.port()}", ct).returncode == 0
    assert home.pacs_ai("studies", "close", "1").returncode == 0
    assert home.stop() == 0
    assert "; workers: none" in home.out
    assert home.studies()[0]["state"] == "COMPLETE"
    done = home.pacs_ai("work", "--once")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 tasks done\n"
    assert home.studies()[0]["seconds"] is not None
    assert home.pacs_ai("work", "--once").stdout == "0 tasks done\n"
