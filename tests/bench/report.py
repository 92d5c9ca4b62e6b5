"""Puts what was measured into docs/performance.md, each kind between its own pair of marks."""

import platform
from collections.abc import Iterable
from pathlib import Path

from tests.bench.figures import Figures
from tests.bench.loads import Case
from tests.bench.programs import OURS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def marks(section: str) -> tuple[str, str]:
    return f"<!-- begin {section}: written by make bench -->", f"<!-- end {section} -->"


def write(section: str, text: str, page: Path = PAGE) -> None:
    """Replace a section of the page."""
    content = page.read_text("utf-8")
    begin, end = marks(section)
    before, rest = content.split(begin)
    _, after = rest.split(end)
    page.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", "utf-8")


def receiving(measured: Iterable[tuple[Case, dict[str, Figures]]], rounds: int) -> str:
    """Write a table for each load, and what came of each goal."""
    parts = [f"Medians of {rounds} interleaved rounds on {machine()}."]
    parts += [_case(case, figures) for case, figures in measured]
    return "\n\n".join(parts)


def machine() -> str:
    cores = sum(line.startswith("processor") for line in _lines("/proc/cpuinfo"))
    model = next((line for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    name = model.partition(":")[2].strip() or platform.machine()
    return f"{cores} cores ({name}), Linux {platform.release().partition('-')[0]}"


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text("utf-8").splitlines() if file.exists() else []


def _case(case: Case, figures: dict[str, Figures]) -> str:
    rows = [
        f"### {case.load.name}",
        "",
        "| Receiver | per s | slowest - fastest | MB/s | CPU ms | peak MB | pacs-ai is | goal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    ours = figures[OURS]
    for name in case.programs:
        if name not in figures:
            rows.append(f"| {name} | {case.unfit.get(name, 'not measured')} | | | | | | |")
            continue
        one = figures[name]
        ratio = "" if name == OURS else f"{ours.rate / one.rate:.2f} x"
        goal = case.goals.get(name)
        aim = "" if goal is None else f">= {goal:g} x"
        if name == OURS and case.peak_mb is not None:
            aim = f"<= {case.peak_mb} MB"
        rows.append(
            f"| {name} | {one.rate:.1f} | {one.slowest:.1f} - {one.fastest:.1f}"
            f" | {one.rate * case.load.size / 1e6:.0f} | {one.cpu_ms:.2f} | {one.peak_mb:.0f}"
            f" | {ratio} | {aim} |"
        )
    return "\n".join(rows)
