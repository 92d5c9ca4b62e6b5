"""``pacs-ai`` and ``python -m pacs_ai``."""

import sys

from pacs_ai.cli import run


def main() -> int:
    """Run the command line; returns the exit code."""
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
