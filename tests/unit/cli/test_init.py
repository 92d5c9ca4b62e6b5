"""``pacs-ai init``: from nothing to a configuration that the node takes."""

import io
import shutil
import sys
import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from pacs_ai.config import load_config
from pacs_ai.config.template import commented
from pacs_ai.model.bundle import SHIPPED
from tests.unit.cli.conftest import Answer

PacsAi = Callable[..., Answer]
ALL = "0.0.0.0"  # noqa: S104 - compared with


class Terminal(io.StringIO):
    """Somebody who types lines."""

    def isatty(self) -> bool:
        return True


def comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("# ")]


def test_without_answers_it_is_the_template_and_the_node_takes_it(
    pacs_ai: PacsAi, tmp_path: Path
) -> None:
    answer = pacs_ai("init", "--yes")
    assert answer == Answer(
        0, "pacs-ai.toml is written. Next:\n  pacs-ai config check\n  pacs-ai listen\n", ""
    )
    text = (tmp_path / "pacs-ai.toml").read_text()
    template = (resources.files("pacs_ai.config") / "template.toml").read_text("utf-8")
    assert set(comments(template)) <= set(comments(text))
    config = load_config(tmp_path / "pacs-ai.toml")
    assert (config.node.ae_title, config.node.host, config.peers) == ("PACS_AI", "127.0.0.1", {})
    assert config.storage.spool == tmp_path / "var" / "spool"
    assert pacs_ai("config", "check").code == 0


def test_what_it_has_written_is_not_overwritten(pacs_ai: PacsAi, tmp_path: Path) -> None:
    (tmp_path / "pacs-ai.toml").write_text("# mine\n")
    answer = pacs_ai("init", "--yes")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("pacs-ai: CONFIG: pacs-ai.toml exists")
    assert (tmp_path / "pacs-ai.toml").read_text() == "# mine\n"


def test_flags_become_values(pacs_ai: PacsAi, tmp_path: Path) -> None:
    bundle = shutil.copytree(SHIPPED / "demo", tmp_path / "given")
    answer = pacs_ai(
        *("init", "--config", "etc/node.toml", "--aet", "AI", "--port", "1104", "--no-web"),
        *("--archive", "PACS@pacs.example:104", "--model", bundle, "--storage", "data"),
    )
    assert answer.code == 0
    assert "pacs-ai listen --config etc/node.toml" in answer.out
    config = load_config(tmp_path / "etc" / "node.toml")
    assert (config.node.ae_title, config.node.port) == ("AI", 1104)
    assert (config.node.host, config.node.accept_from) == (ALL, ("PACS",))
    archive = config.dimse_peers["archive"]
    assert (archive.ae_title, archive.host, archive.port) == ("PACS", "pacs.example", 104)
    assert config.storage.database == f"sqlite:///{tmp_path}/data/pacs-ai.db"
    assert config.models["demo"].bundle == str(bundle)
    assert config.rules[0].when == {"Modality": ["CT", "MR", "CR", "DX"]}
    assert config.rules[0].send_to == ("archive",)
    assert not config.web.enabled
    assert pacs_ai("config", "check", "--config", "etc/node.toml").code == 0


def test_an_archive_on_this_machine_opens_the_node_to_nobody_else(
    pacs_ai: PacsAi, tmp_path: Path
) -> None:
    assert pacs_ai("init", "--yes", "--archive", "ORTHANC@127.0.0.1:4242").code == 0
    config = load_config(tmp_path / "pacs-ai.toml")
    assert (config.node.host, config.node.accept_from) == ("127.0.0.1", ())


def test_with_tls_it_makes_the_certificates_that_it_names(pacs_ai: PacsAi, tmp_path: Path) -> None:
    answer = pacs_ai("init", "--yes", "--tls", "--archive", "PACS@10.0.0.5:104")
    assert answer.out.startswith("tls: certificates for a test, valid until 20")
    config = load_config(tmp_path / "pacs-ai.toml")
    assert config.tls.certificate == tmp_path / "tls" / "node.crt"
    assert config.dimse_peers["archive"].tls
    assert pacs_ai("config", "check").code == 0
    (tmp_path / "pacs-ai.toml").unlink()
    before = (tmp_path / "tls" / "node.crt").read_bytes()
    assert pacs_ai("init", "--yes", "--tls").code == 0
    assert (tmp_path / "tls" / "node.crt").read_bytes() == before


def test_on_a_terminal_it_asks_until_an_answer_is_one(
    pacs_ai: PacsAi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["a title that is too long", "AI", "", "ORTHANC", "ORTHANC@localhost:4242", "", "", "n"]
    monkeypatch.setattr(sys, "stdin", Terminal("\n".join([*typed, "n"]) + "\n"))
    answer = pacs_ai("init")
    assert answer.code == 0, answer.err
    assert "1 to 16 ASCII characters" in answer.err
    assert "neither a peer" in answer.err
    config = load_config(tmp_path / "pacs-ai.toml")
    assert (config.node.ae_title, config.node.port) == ("AI", 11112)
    assert config.dimse_peers["archive"].ae_title == "ORTHANC"
    assert not config.web.enabled


@pytest.mark.parametrize(
    "flags",
    [
        ["--aet", "a title that is too long"],
        ["--port", "70000"],
        ["--archive", "no address"],
        ["--model", "absent/"],
        ["--accept-from", "CT@nowhere"],
        ["--host", ""],
    ],
    ids=" ".join,
)
def test_a_wrong_flag_leaves_no_file(flags: list[str], pacs_ai: PacsAi, tmp_path: Path) -> None:
    answer = pacs_ai("init", "--yes", *flags)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_the_template_does_not_have_is_an_error() -> None:
    with pytest.raises(KeyError):
        commented({"node.no_such_key": 1})


def test_texts_and_tables_are_written_as_toml() -> None:
    when = {"Modality": ["CT"], "StudyDescription": 'a "b" \\ ä'}
    made = tomllib.loads(commented({"rules.when": when}, model="two words"))
    assert made["rules"][0]["when"] == when
    assert set(made["models"]) == {"two words"}
