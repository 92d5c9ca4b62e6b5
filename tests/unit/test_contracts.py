"""The import contracts of pyproject.toml bite: imports planted in a copy are each reported."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# (module that must not import, what it must not import)
PLANTED = [
    ("pacs_ai.model", "tensorflow"),
    ("pacs_ai.flow", "keras"),
    ("pacs_ai.cli", "training"),
    ("pacs_ai.flow", "pynetdicom"),
    ("pacs_ai.flow", "dicomweb_client"),
    ("pacs_ai.net.tls", "requests"),
    ("pacs_ai.results", "pynetdicom"),
    ("pacs_ai.demo", "pynetdicom"),
    ("pacs_ai.dicom", "highdicom"),
    ("pacs_ai.model.bundle", "onnxruntime"),
    ("pacs_ai.model.bundle", "openvino"),
    ("training.folds", "mlflow"),
    ("pacs_ai.dicom", "cv2"),
    ("pacs_ai.results.sr.measurement_report", "cv2"),
    ("pacs_ai.results.common", "pacs_ai.results.content.wording"),
    ("pacs_ai.flow", "reportlab"),
    ("pacs_ai.store.spool", "blake3"),
    ("pacs_ai.cli.tls", "cryptography"),
    ("pacs_ai.engine", "sqlalchemy"),
    ("pacs_ai.node.app", "alembic"),
    ("pacs_ai.node.daemon", "apscheduler"),
    ("pacs_ai.flow", "prometheus_client"),
    ("pacs_ai.flow", "pydicom"),
    ("pacs_ai.store", "pydicom"),
    ("pacs_ai.model", "pydicom"),
    ("pacs_ai.net", "pacs_ai.store"),
    ("pacs_ai.results", "pacs_ai.store"),
    ("pacs_ai.model", "pacs_ai.store"),
    ("pacs_ai.net", "pacs_ai.results"),
    ("pacs_ai.net.tls", "pacs_ai.net.scp"),
    ("pacs_ai.net.scu", "pacs_ai.net.scp"),
    *(("pacs_ai.analysis", f"pacs_ai.{name}") for name in ("config", "engine", "net", "store")),
    ("pacs_ai.node.process", "starlette"),
    ("pacs_ai.cli", "uvicorn"),
    ("pacs_ai.node.app", "jinja2"),
    ("pacs_ai.node", "pacs_ai.web"),
    ("pacs_ai.flow", "pacs_ai.node.app"),
    ("pacs_ai.node.app", "pacs_ai.node.daemon"),
    ("pacs_ai.store", "pacs_ai.dicom"),
    ("pacs_ai.store.leases", "pacs_ai.store.tasks"),
    ("pacs_ai.store.tasks", "procrastinate"),
    ("pacs_ai.config", "pacs_ai.logs"),
    ("pacs_ai.config.paths", "pacs_ai.config.load"),
    ("pacs_ai.errors", "pacs_ai.domain"),
    ("training", "pacs_ai.store"),
    ("training", "pacs_ai.config"),
    ("training", "pacs_ai.demo.run"),
    ("training.recipe", "training.cli"),
    ("pacs_ai.deidentify", "dicomanonymizer"),
    ("pacs_ai.deidentify", "pacs_ai.net"),
]

# closes a circle: the second imports the first
CIRCLE = ("pacs_ai.store.version", "pacs_ai.store.migrate")


def module_file(folder: Path, module: str) -> Path:
    package = folder.joinpath(*module.split("."))
    return package / "__init__.py" if package.is_dir() else package.with_suffix(".py")


@pytest.fixture(scope="module")
def report(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says about a copy of the tree with every import above planted in it."""
    copy = tmp_path_factory.mktemp("planted")
    shutil.copy(root / "pyproject.toml", copy)
    for package in ("pacs_ai", "training"):
        shutil.copytree(root / package, copy / package, ignore=shutil.ignore_patterns("bundles"))
    for module, imported in [*PLANTED, CIRCLE]:
        with module_file(copy, module).open("a", encoding="utf-8") as file:
            file.write(f"\nimport {imported}\n")
    (copy / "pacs_ai" / "stray.py").write_text("")
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("module", "imported"), PLANTED)
def test_planted_import_is_reported(report: str, module: str, imported: str) -> None:
    assert f"{module} -> {imported} (l." in report


def test_a_circle_is_reported(report: str) -> None:
    assert "- .version -> .migrate (1 import)" in report


def test_module_without_a_layer_is_reported(report: str) -> None:
    assert "- pacs_ai.stray" in report


def test_every_contract_bites(report: str) -> None:
    assert " KEPT" not in report
