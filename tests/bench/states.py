"""The node as it is, and the node as it was: another checkout of this repository."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "d63dcad"
"""The last commit before the work on speed."""
VARIABLE = "PACS_AI_OLD"
"""The environment variable that names another checkout."""


@contextmanager
def old_checkout(given: Path | None = None) -> Iterator[Path | None]:
    """Give a checkout of the earlier state; None where this clone does not have that commit.

    Parameters
    ----------
    given
        A checkout that is there already; not given: that of `VARIABLE`, else one is made.
    """
    if given is None and VARIABLE in os.environ:
        given = Path(os.environ[VARIABLE])
    if given is not None:
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="pacs-ai-old-") as folder:
        tree = Path(folder) / "tree"
        if not _git("worktree", "add", "--detach", str(tree), BEFORE):
            sys.stdout.write(f"{BEFORE} is not in this clone: nothing to compare with\n")
            yield None
            return
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def environment(checkout: Path) -> dict[str, str]:
    """Return the environment of a process that runs the code of a checkout."""
    return {**os.environ, "PYTHONPATH": str(checkout)}


def _git(*arguments: str) -> bool:
    command = ["git", *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
