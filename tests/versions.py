"""Other versions of pacs-ai, each in a folder of its own, for tests of upgrades."""

import shutil
import subprocess
import tarfile
from pathlib import Path

import pacs_ai
from pacs_ai.store.version import SCHEMA_STEP

PACKAGE = Path(pacs_ai.__file__).parent
ROOT = PACKAGE.parent

NEXT_STEP = f"{int(SCHEMA_STEP) + 1:04d}"
NEXT_VERSION = "999.0.0"

_ALL_THAT_NODES_WRITE = (
    "study",
    "instance",
    "job",
    "result",
    "delivery",
    "event",
    "node",
    "procrastinate_jobs",
)
_STEP = '''\
"""All that a step of the schema may do (docs/cluster.md, Upgrades)."""

import sqlalchemy as sa
from alembic import op

revision = "{step}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in {tables}:
        op.add_column(table, sa.Column("newer", sa.Integer(), server_default="0", nullable=False))
    op.create_table("newer", sa.Column("study_id", sa.Integer(), primary_key=True))
    op.create_index("ix_newer", "instance", ["received_at"])
'''


def next_version(folder: Path) -> Path:
    """Make a copy of this version with one more step of the schema; returns what to import from."""
    copy = folder / "pacs_ai"
    folder.mkdir()
    shutil.copytree(PACKAGE, copy)  # with its bytecode, which counts as long as the times are kept
    _change(copy / "__init__.py", f'"{pacs_ai.__version__}"', f'"{NEXT_VERSION}"')
    _change(copy / "store" / "version.py", f'SCHEMA_STEP = "{SCHEMA_STEP}"', _step(NEXT_STEP))
    step = copy / "store" / "migrations" / "versions" / f"{NEXT_STEP}_of_the_next_version.py"
    step.write_text(
        _STEP.format(step=NEXT_STEP, before=SCHEMA_STEP, tables=_ALL_THAT_NODES_WRITE), "utf-8"
    )
    return folder


def earlier_version(folder: Path) -> Path | None:
    """Unpack the last version with an earlier step of the schema; None where its history is not."""
    path = "pacs_ai/store/version.py"
    for commit in _git("log", "--format=%H", "--", path).split():
        if _step(SCHEMA_STEP) not in _git("show", f"{commit}:{path}"):
            folder.mkdir()
            archive = folder / "pacs_ai.tar"
            _git("archive", f"--output={archive}", commit, "pacs_ai")
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
            return folder
    return None


def name_host(folder: Path, name: str) -> None:
    """Let what is imported from a folder find another host name than this machine's."""
    (folder / "sitecustomize.py").write_text(
        f"import socket\n\nsocket.gethostname = lambda: {name!r}\n", "utf-8"
    )


def _step(step: str) -> str:
    return f'SCHEMA_STEP = "{step}"'


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), "utf-8")


def _git(*words: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    done = subprocess.run([git, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout
