"""`pacs-ai` without its ledger: what happens is an event as ever, and no message is made of it.

Usage: ``python -m tests.bench.unledgered COMMAND ...``. There is no such setting; only measurements
want to know what the ledger costs.
"""

import sys

from pacs_ai.cli import run
from pacs_ai.flow.audit.seal import Sealer


def _nothing(_sealer: Sealer) -> int:
    return 0


if __name__ == "__main__":
    Sealer.sweep = _nothing  # type: ignore[assignment, method-assign]
    sys.exit(run(sys.argv[1:]))
