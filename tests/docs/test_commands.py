"""Commands and links in the documentation lead somewhere."""

import re
import sys
from pathlib import Path

import pytest

from pacs_ai.cli import run
from pacs_ai.cli.commands import GROUPS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
CODE = re.compile(r"```sh\n(.*?)```|`([^`\n]+)`", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def in_code(start: str) -> list[tuple[str, str]]:
    """Every place where documentation shows something that starts so: (page, what follows)."""
    found = []
    for page in PAGES:
        for block, inline in CODE.findall(page.read_text()):
            for line in (block or inline).splitlines():
                if match := re.match(rf"(?:\S*/)?{start} ([^#]+)", line):
                    found.append((page.name, match[1].strip()))
    return found


def test_links_lead_to_files() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    mentioned = {words.split()[0] for _, words in in_code("make")}
    assert {"demo", "check", "lock"} <= mentioned
    assert mentioned <= targets


def explains_itself(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> bool:
    code = run([*command, "--help"])
    return code == 0 and "Usage" in capsys.readouterr().out


@pytest.fixture(autouse=True)
def _own_excepthook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line sets it for its process, which is ours here."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


def test_subcommands_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """`pacs-ai X Y` of the documentation is a command that explains itself."""
    commands = set()
    for _, words in in_code("pacs-ai"):
        names = re.match(r"((?:[a-z]+ ?)+)", words)
        if names is not None:
            commands.add(tuple(names[1].split()[: 2 if words.split()[0] in GROUPS else 1]))
    assert ("listen",) in commands
    assert ("studies", "list") in commands
    missing = [" ".join(name) for name in sorted(commands) if not explains_itself(name, capsys)]
    assert missing == []


def unknown_flags(words: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Flags that a command is shown with and does not have."""
    found = re.match(r"((?:[a-z]+ ?)+)", words)
    names = found[1].split() if found else []
    run([*names[: 2 if {*names[:1]} & {*GROUPS} else 1], "--help"])
    known = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    return sorted(set(re.findall(r"(?<=\s)--[a-z][a-z-]*", words)) - known)


def test_flags_exist(capsys: pytest.CaptureFixture[str]) -> None:
    shown = [(page, words) for page, words in in_code("pacs-ai") if page != "cli.md"]
    assert any("--where" in words for _, words in shown)
    wrong = [(page, words) for page, words in shown if unknown_flags(words, capsys)]
    assert wrong == []


def test_an_unknown_flag_would_be_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    assert unknown_flags("train phantom --no-such-flag --limit 4", capsys) == ["--no-such-flag"]


def test_an_unknown_command_would_be_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    assert not explains_itself(("no-such-command",), capsys)
    assert not explains_itself(("studies", "no-such-command"), capsys)
