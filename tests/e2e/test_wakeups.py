"""Wake-ups alone bring a study through all processes, and so does polling alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archive import archive, to_archive
from tests.node import node
from tests.samples import new_study

SITE = Path(__file__).parent / "wakeups"


@pytest.mark.parametrize(
    "without", [pytest.param("wake-ups", marks=pytest.mark.thorough), "polling"]
)
def test_all_results_arrive(without: str, tmp_path: Path, free_port: Callable[[], int]) -> None:
    archive_port = free_port()
    environment = {"PYTHONPATH": str(SITE), "PACS_AI_TEST_WITHOUT": without}
    with (
        archive(archive_port, 0) as peer,
        node(
            tmp_path / "node",
            free_port(),
            head="acceptors = 2",
            extra=to_archive(archive_port),
            quiet=1000,
            **environment,
        ) as one,
    ):
        config = one.config.read_text("utf-8")
        one.config.write_text(config.replace("[engine]", "[engine]\nworkers = 2"), "utf-8")
        one.start()
        for number in range(1, 3):
            assert one.send(*new_study(tmp_path / f"{number}", 2)) == [0, 0]
            one.wait_for(lambda number=number: one.states("delivery") == ["STORED"] * 2 * number)
        assert len(set(peer.uids())) == 4
        assert one.stop() == 0
