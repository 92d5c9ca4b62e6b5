"""The top level: what it knows, how it ends."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from pacs_ai import __version__, cli, errors
from pacs_ai.cli import dispatch
from pacs_ai.cli.commands import COMMANDS, GROUPS
from tests.unit.cli.conftest import Answer

PacsAi = Callable[..., Answer]


def test_help_lists_every_command(pacs_ai: PacsAi) -> None:
    answer = pacs_ai("--help")
    assert answer.code == 0
    assert all(f"\n  {name} " in answer.out for name in COMMANDS)
    assert pacs_ai().out == answer.out


def test_version(pacs_ai: PacsAi) -> None:
    assert pacs_ai("--version") == Answer(0, f"pacs-ai {__version__}\n", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, pacs_ai: PacsAi) -> None:
    answer = pacs_ai(name, "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"Usage: pacs-ai {name} ")


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_a_group_on_its_own_lists_its_commands(name: str, pacs_ai: PacsAi) -> None:
    answer = pacs_ai(name)
    assert answer.code == 0
    assert "Commands:" in answer.out


def test_every_module_of_the_table_has_its_application() -> None:
    for name, (module, _) in COMMANDS.items():
        assert isinstance(dispatch.command(module, name), typer.Typer)


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["--nonsense"],
        ["studies", "nonsense"],
        ["echo"],
        ["echo", "A@h:1", "--nonsense"],
        ["studies", "list", "--state", "nonsense"],
        ["studies", "list", "--since", "yesterday"],
        ["listen", "--port", "70000"],
        ["listen", "--workers", "2", "--no-workers"],
        ["listen", "--aet", "a title that is too long"],
        ["echo", "no-such-peer"],
        ["send", "A@localhost:70000", "."],
        ["studies", "list", "--config", "absent.toml"],
        ["studies", "list"],
        ["infer", "absent"],
    ],
    ids=" ".join,
)
def test_usage_and_configuration_end_with_2_in_one_line(
    words: list[str], pacs_ai: PacsAi, tmp_path: Path
) -> None:
    answer = pacs_ai(*words)
    assert answer.code == 2
    assert answer.err.startswith(("pacs-ai: USAGE: ", "pacs-ai: CONFIG: "))
    assert answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [], "a command that fails leaves nothing behind"


def test_common_options_may_come_first(pacs_ai: PacsAi, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('[node]\nae_title = "OTHER"\n')
    first = pacs_ai("-v", "--config", "other.toml", "config", "check")
    assert 'node.ae_title = "OTHER"' in first.out
    assert first.out == pacs_ai("config", "check", "--config", "other.toml", "-v").out
    assert pacs_ai("--config=other.toml", "config", "check").code == 0


def fake_command(monkeypatch: pytest.MonkeyPatch, body: Callable[[], None]) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(body)
    module = type(sys)("pacs_ai.cli.fake")
    module.__dict__["app"] = app
    monkeypatch.setitem(sys.modules, "pacs_ai.cli.fake", module)
    monkeypatch.setattr(cli, "COMMANDS", {"fake": ("fake", "For the test.")})


@pytest.mark.parametrize(
    "kind",
    [
        errors.ConfigError,
        errors.NotDicom,
        errors.NoSpace,
        errors.PeerUnreachable,
        errors.BundleInvalid,
        errors.StateError,
    ],
)
def test_an_error_of_ours_is_one_line_and_its_exit_code(
    kind: type[errors.PacsAIError], monkeypatch: pytest.MonkeyPatch, pacs_ai: PacsAi
) -> None:
    def body() -> None:
        raise kind("this\nis what happened")

    fake_command(monkeypatch, body)
    answer = pacs_ai("fake")
    assert answer.code == kind.exit_code
    assert answer.err == f"pacs-ai: {kind.code}: this is what happened\n"


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, pacs_ai: PacsAi) -> None:
    def body() -> None:
        raise KeyboardInterrupt

    fake_command(monkeypatch, body)
    assert pacs_ai("fake").code == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full: not Linux")
def test_a_full_disk_is_no_bug(monkeypatch: pytest.MonkeyPatch, pacs_ai: PacsAi) -> None:
    def body() -> None:
        Path("/dev/full").write_text("no room for this")

    fake_command(monkeypatch, body)
    answer = pacs_ai("fake")
    assert answer.code == errors.NoSpace.exit_code
    assert answer.err.startswith("pacs-ai: NO_SPACE: the disk is full")
    assert "free some space" in answer.err


def test_a_bug_is_told_without_what_the_library_said(
    monkeypatch: pytest.MonkeyPatch, pacs_ai: PacsAi, capsys: pytest.CaptureFixture[str]
) -> None:
    def body() -> None:
        raise ValueError("Doe^John")

    fake_command(monkeypatch, body)
    with pytest.raises(ValueError, match="Doe") as caught:
        pacs_ai("fake")
    sys.excepthook(type(caught.value), caught.value, caught.tb)
    said = capsys.readouterr().err
    assert said.startswith("pacs-ai: UNEXPECTED: ValueError at ")
    assert "test_top.py:" in said
    assert "Doe" not in said
    assert said.count("\n") == 1


def test_one_module_does_not_load_another() -> None:
    """The table's modules stand for themselves: a listing needs no runtime and no highdicom."""
    listing = importlib.import_module("pacs_ai.cli.studies")
    assert not hasattr(listing, "build_app")
