"""Commands as a person runs them: each in a process of its own."""

import subprocess
import sys
from pathlib import Path


def start(root: Path, *words: object) -> subprocess.Popen[str]:
    """Start ``pacs-ai`` with some words."""
    return subprocess.Popen(
        [sys.executable, "-m", "pacs_ai", *map(str, words)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a command that has to succeed, and return what it printed."""
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out
