"""What a process loads: help answers at once, and nothing of the node reaches TensorFlow."""

import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pacs_ai

BARE = "import sys; before = set(sys.modules); import pacs_ai; print(*set(sys.modules) - before)"
HELP = """
import sys
from pacs_ai.cli import run
run(["--help"])
print(*sys.modules, file=sys.stderr)
"""
EVERYTHING = """
import importlib, pkgutil, sys, pacs_ai
for module in pkgutil.walk_packages(pacs_ai.__path__, "pacs_ai."):
    if not module.name.endswith(("__main__", ".env")) and ".versions." not in module.name:
        importlib.import_module(module.name)
print(*sys.modules)
"""
ROWS = """
import importlib, sys
for name in ("studies jobs deliveries results notifications trace feedback audit tokens "
             "users").split():
    importlib.import_module(f"pacs_ai.cli.{name}")
print(*sys.modules)
"""
WORKER = """
import tracemalloc
from pathlib import Path
from pacs_ai.node.app import build_app
from pacs_ai.config import load_config
from pacs_ai.results.common.object_header import _pattern
from pacs_ai.node.worker import load_models
storage = {"database": "sqlite:///rows.db", "spool": "spool"}
app = build_app(load_config(None, {"storage": storage}))
load_models(app.context.config, app.bundles, 1)
tracemalloc.start()
_pattern("1.2.840.10008.5.1.4.1.1.88.34", "SR", "1", "1")
print(tracemalloc.get_traced_memory()[1])
app.close()
"""
HELP_SECONDS = 0.3
FIRST_OBJECT_BYTES = 4 << 20


def run(code: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_package_itself_imports_nothing() -> None:
    assert run(BARE).stdout.split() == ["pacs_ai"]


def test_help_loads_the_standard_library_alone() -> None:
    done = run(HELP)
    assert "listen" in done.stdout
    bare = set(run("import sys; print(*sys.modules)").stdout.split())
    loaded = {name.split(".")[0] for name in set(done.stderr.split()) - bare}
    assert loaded - sys.stdlib_module_names == {"pacs_ai"}


def test_help_takes_no_time() -> None:
    """Of the processor: it is the same on a busy machine."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def seconds() -> float:
        start = spent()
        subprocess.run(
            [sys.executable, "-m", "pacs_ai", "--help"], check=True, stdout=subprocess.DEVNULL
        )
        return spent() - start

    assert min(seconds() for _ in range(5)) < HELP_SECONDS


def test_commands_about_rows_load_nothing_of_images() -> None:
    """The libraries of DICOM and networks take a second or more, and each command would wait."""
    loaded = set(run(ROWS).stdout.split())
    assert "pacs_ai.flow.operate.studies" in loaded
    assert loaded.isdisjoint({"pydicom", "pynetdicom", "highdicom", "alembic", "onnxruntime"})


def test_switching_a_model_loads_nothing_of_dicom() -> None:
    loaded = set(run("import sys, pacs_ai.cli.models_activate; print(*sys.modules)").stdout.split())
    assert "pacs_ai.flow.operate.activation" in loaded
    assert loaded.isdisjoint({"pydicom", "pynetdicom", "highdicom", "alembic"})


def test_no_module_of_the_node_loads_tensorflow() -> None:
    loaded = set(run(EVERYTHING).stdout.split())
    assert {"pacs_ai.node.daemon", "pacs_ai.node.worker", "pacs_ai.model.runtime"} <= loaded
    assert loaded.isdisjoint({"tensorflow", "keras", "tf2onnx", "onnx", "matplotlib", "training"})


def test_training_knows_which_node_it_belongs_to(root: Path) -> None:
    """Read, not imported: the sentinel is compared before anything of it runs."""
    text = (root / "training" / "__init__.py").read_text()
    line = next(line for line in text.splitlines() if line.startswith("__pacs_ai__"))
    assert line.split("=")[1].strip().strip('"') == pacs_ai.__version__


def test_the_version_is_written_once(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
    assert f"image: pacs-ai:{pacs_ai.__version__}\n" in (root / "deploy/compose.yaml").read_text()


def test_a_worker_has_its_tables_before_the_first_study(tmp_path: Path) -> None:
    """They take a hundred MiB while they are read, which no study is to be blamed for."""
    assert int(run(WORKER, tmp_path).stdout) < FIRST_OBJECT_BYTES
