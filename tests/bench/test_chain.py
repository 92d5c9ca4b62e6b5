"""From a server that stands in for the archive to the bundle, at the size of the phantom recipe."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bench.test_throughput import keep
from tests.training.collection import collection_recipe, write_collection
from tests.training.nbia_server import serving

pytestmark = [pytest.mark.bench, pytest.mark.slow, pytest.mark.train]

STUDIES = {"train": 1200, "validation": 300, "test": 600}


def test_from_the_archive_to_the_bundle(root: Path, tmp_path: Path) -> None:
    """What the archive holds is drawn before the clock starts."""
    write_collection(tmp_path / "stock", STUDIES, tmp_path / "labels.csv", seed=2024)
    with serving(tmp_path / "stock") as server:
        recipe = tmp_path / "recipe.toml"
        recipe.write_text(collection_recipe(server.url, {}), encoding="utf-8")
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "pacs_ai", "train", recipe, "--out", tmp_path / "run"]
        done = subprocess.run(
            [*command, "--json"], cwd=root, stdout=subprocess.PIPE, text=True, check=True
        )
        wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    steps = json.loads(done.stdout)["steps"]
    auc = steps["evaluate"]["summary"]["figures"]["auc"]
    keep(
        root,
        chain_wall_seconds=wall,
        chain_processor_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        **{f"chain_{name}_seconds": step["seconds"] for name, step in steps.items()},
        chain_auc_by_study=auc["value"],
        chain_auc_low=auc["low"],
        chain_auc_high=auc["high"],
    )
