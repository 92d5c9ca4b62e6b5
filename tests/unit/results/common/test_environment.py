"""What decides the bits of a result besides model and input: libraries and processor."""

import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pacs_ai import __version__
from pacs_ai.results.common import environment as module
from pacs_ai.results.common.environment import LIBRARIES, environment, processor

X86 = """\
processor\t: 0
vendor_id\t: SomeVendor
cpu family\t: 6
model\t\t: 143
cache size\t: 2048 KB
flags\t\t: fpu sse4_1 avx2 {more} fma syscall

processor\t: 1
flags\t\t: none
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"


def missing(name: str) -> str:
    raise PackageNotFoundError(name)


@pytest.fixture
def cpu_info(tmp_path: Path) -> Path:
    return tmp_path / "cpuinfo"


def test_every_library_that_computes_is_named(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    known = {Requirement(text).name for text in project["dependencies"]}
    assert set(LIBRARIES) <= known
    line = environment()
    assert line.startswith(f"pacs-ai {__version__}; ")
    assert all(f"; {name} " in line for name in LIBRARIES)


def test_a_missing_decoder_is_told_from_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment()
    environment.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(module, "version", missing)
        after = environment()
    environment.cache_clear()
    assert "; imagecodecs not installed; " in after
    assert after != before == environment()


def test_the_processor_is_its_model_and_its_vector_instructions(cpu_info: Path) -> None:
    cpu_info.write_text(X86.format(more="avx512f avx512_vnni amx_int8"))
    whole = processor(cpu_info)
    assert "SomeVendor 6 143 2048 KB" in whole
    assert whole.endswith("amx_int8 avx2 avx512_vnni avx512f fma sse4_1")
    cpu_info.write_text(X86.format(more="avx512f"))
    assert processor(cpu_info) != whole
    cpu_info.write_text(ARM)
    assert processor(cpu_info).endswith("0x41 0xd40 asimd sve")


def test_without_the_kernel_s_description_the_architecture_is_named(cpu_info: Path) -> None:
    assert processor(cpu_info).strip()
