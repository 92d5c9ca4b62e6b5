"""What the page and the ledger cost the receiver: two nodes side by side, measured by turns.

Usage: ``python -m tests.bench.paired [--pairs 12] [--only page|ledger] [--write]``

Both nodes have started to the end and have received before anything is measured. Short phases take
turns (A B B A), so what else the machine does, and the growth of both databases, meet both alike;
the node that waits stands still. The figure is the median over pairs of neighbouring phases, with
the middle half of them. Processor time says what is used where the time of the clock says nothing.
``--write`` puts the figures into docs/performance.md. Twelve pairs of both take about two minutes.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import report
from tests.bench.programs import Program, node, running
from tests.bench.receive import nothing, send, usage
from tests.bench.scraper import scraping
from tests.bench.sender import Load, Material

LOAD = Load("4 associations at once, 75 of 20 instances of 20 kB", 75, 20, 20_000, 4)
WARM = Load("warm", 20, 20, 20_000, 4)
SETTLED_CORES, SETTLE_SECONDS = 0.05, 60.0
PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Side:
    """A node: its name, the module that runs it, and whether its page is used while it receives."""

    name: str
    module: str = "pacs_ai"
    page: bool = False

    def program(self) -> Program:
        """Return how to start it."""
        return Program(self.name, node(page=self.page, module=self.module), page=self.page)


@dataclass(frozen=True)
class Pair:
    """What is compared: without and with, and the largest loss that is aimed at."""

    name: str
    without: Side
    having: Side
    goal: float


PAIRS = {
    "page": Pair(
        "the page open, and metrics read each second",
        Side("without the page"),
        Side("with the page", page=True),
        0.03,
    ),
    "ledger": Pair(
        "the ledger",
        Side("without the ledger", module="tests.bench.unledgered"),
        Side("with the ledger"),
        0.02,
    ),
}


@dataclass
class Measured:
    """Instances a second, and milliseconds of processor time an instance, of each phase."""

    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Node:
    """A node that runs."""

    program: Program
    pid: int
    port: int
    folder: Path

    def receive(self, load: Load, material: Material, measured: Measured | None) -> None:
        """Take a load; the page is used meanwhile, where there is one."""
        used = scraping(self.folder / "pacs-ai.toml", ("/metrics", "/"))
        with used if self.program.page else nothing():
            cpu, start = usage(self.pid)[0], time.perf_counter()
            send(self.program, self.port, load, material)
            seconds = time.perf_counter() - start
            spent = usage(self.pid)[0] - cpu
        if measured is not None:
            measured.rates.append(load.total / seconds)
            measured.cpu_ms.append(1000 * spent / load.total)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop all its processes for a block: what it still has to do does not meet the other."""
        os.killpg(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.pid, signal.SIGCONT)

    def settle(self) -> None:
        """Wait until it does next to nothing: until it has started, or has sealed its ledger."""
        end = time.monotonic() + SETTLE_SECONDS
        spent = usage(self.pid)[0]
        while time.monotonic() < end:
            time.sleep(1)
            before, spent = spent, usage(self.pid)[0]
            if spent - before <= SETTLED_CORES:
                return


@contextmanager
def started(side: Side, folder: Path, material: Material) -> Iterator[Node]:
    """Start a node, and have it receive until it is warm."""
    folder.mkdir()
    program = side.program()
    with running(program, folder) as (pid, port):
        one = Node(program, pid, port, folder)
        one.settle()
        one.receive(WARM, material, None)
        one.settle()
        yield one


def compare(pair: Pair, pairs: int, say: Callable[[str], None]) -> str:
    """Measure both sides by turns; gives a table."""
    material, sides = Material(), (pair.without, pair.having)
    measured = {side.name: Measured() for side in sides}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        nodes = {
            side.name: stack.enter_context(started(side, Path(folder) / str(number), material))
            for number, side in enumerate(sides)
        }
        for number in range(pairs):
            for name in list(nodes) if number % 2 else reversed(nodes):
                others = [node for other, node in nodes.items() if other != name]
                with others[0].standing_still():
                    time.sleep(PAUSE_SECONDS)
                    nodes[name].receive(LOAD, material, measured[name])
    text = table(pair, *(measured[side.name] for side in sides))
    say(f"{text}\n")
    return text


def table(pair: Pair, without: Measured, having: Measured) -> str:
    """Write the medians of both, and the loss over pairs."""
    losses = [1 - one / other for one, other in zip(having.rates, without.rates, strict=True)]
    costs = [one / other - 1 for one, other in zip(having.cpu_ms, without.cpu_ms, strict=True)]
    rows = [
        f"### {pair.name[:1].upper()}{pair.name[1:]}",
        "",
        "| | per s | CPU ms |",
        "|---|---|---|",
        *(
            f"| {side.name} | {statistics.median(one.rates):.0f} |"
            f" {statistics.median(one.cpu_ms):.2f} |"
            for side, one in ((pair.without, without), (pair.having, having))
        ),
        "",
        f"Lost of the rate: {spread(losses)} (goal: at most {pair.goal:.0%}); more processor time:"
        f" {spread(costs)}. {len(losses)} pairs: medians, and the middle half.",
    ]
    return "\n".join(rows)


def spread(values: list[float]) -> str:
    first, middle, third = statistics.quantiles(values, n=4)
    return f"{middle:.1%} [{first:.1%} to {third:.1%}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--only", choices=list(PAIRS))
    parser.add_argument("--write", action="store_true", help="renew docs/performance.md")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # both nodes have to end, too

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    wanted = [options.only] if options.only else list(PAIRS)
    tables = [compare(PAIRS[name], options.pairs, say) for name in wanted]
    if options.write:
        said = f"{LOAD.name}, on {report.machine()}."
        report.write("paired", "\n\n".join([said, *tables]))


if __name__ == "__main__":
    main()
