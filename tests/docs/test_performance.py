"""The page on performance has what the benchmark measures, and the benchmark can renew it."""

from pathlib import Path

import pytest

from tests.bench import deep_queue, report, simulated
from tests.bench.figures import Figures, Round, summary
from tests.bench.integrity import SIDES
from tests.bench.loads import CASES
from tests.bench.programs import OURS
from tests.bench.queues import CLUSTER, LOCAL
from tests.bench.scale import PARTS, WORKERS


def test_every_load_and_rival_is_on_the_page(root: Path) -> None:
    begin, end = report.marks("receive")
    section = (root / "docs" / "performance.md").read_text("utf-8").split(begin)[1].split(end)[0]
    for case in CASES:
        table = section.split(f"### {case.load.name}\n")[1].split("###")[0]
        assert [name for name in case.programs if f"| {name} |" not in table] == []


def test_the_cost_of_comparing_checksums_is_on_the_page(root: Path) -> None:
    begin, end = report.marks("integrity")
    section = (root / "docs" / "performance.md").read_text("utf-8").split(begin)[1].split(end)[0]
    for name in (*SIDES, "report", "capture"):
        assert f"| {name} | " in section


def test_the_cost_of_feeding_is_on_the_page(root: Path) -> None:
    begin, end = report.marks("feeding")
    section = (root / "docs" / "performance.md").read_text("utf-8").split(begin)[1].split(end)[0]
    for text in (
        "| bare fit |",
        "| with augmentation |",
        "Albumentations, images/s",
        "all of these | 2",
    ):
        assert text in section


@pytest.mark.parametrize("part", PARTS)
def test_every_figure_of_several_nodes_is_on_the_page(root: Path, part: str) -> None:
    begin, end = report.marks(f"scale: {part}")
    section = (root / "docs" / "performance.md").read_text("utf-8").split(begin)[1].split(end)[0]
    rows = {"claims": WORKERS, "studies": simulated.WORKERS, "starts": (LOCAL.name, CLUSTER.name)}
    rows["depth"] = tuple(name for name, *_ in deep_queue.CASES)
    rows["instances"] = ("statements looked at", "median", "not removed", "removed from this one")
    assert [row for row in rows[part] if f"\n| {row} |" not in section] == []


def test_a_section_is_replaced_and_the_rest_left(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = report.marks("some")
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    report.write("some", "new", page)
    assert page.read_text() == f"before\n{begin}\nnew\n{end}\nafter\n"


def test_ratios_are_of_the_node_s_rate_to_the_rival_s() -> None:
    case = CASES[0]
    figures = {name: Figures(10, 5, 15, 1, 50) for name in case.programs}
    figures[OURS] = Figures(25, 20, 30, 1, 50)
    rows = report.receiving([(case, figures)], 3).splitlines()
    assert {row.split("|")[7].strip() for row in rows if row.startswith("| ")} == {
        "pacs-ai is",
        "2.50 x",
        "",
    }


def test_medians_count() -> None:
    assert summary([Round(1, 1, 9), Round(5, 2, 8), Round(3, 9, 7)]) == Figures(3, 1, 5, 2, 9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.load.name)
def test_goals_are_about_rivals_of_the_case(case: object) -> None:
    assert set(case.goals) <= set(case.programs)  # type: ignore[attr-defined]
    assert OURS in case.programs  # type: ignore[attr-defined]
