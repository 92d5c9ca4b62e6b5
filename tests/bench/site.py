"""The page of `pacs-ai bench site`, as we publish ours.

Usage: ``python -m tests.bench.site [--studies 1000] [--write]``
"""

import argparse
import subprocess
import sys
import tempfile

from tests.bench.report import write


def page(studies: int) -> str:
    """Run the command in an empty folder: no configuration is found, the shipped model measured."""
    command = [sys.executable, "-m", "pacs_ai", "bench", "site", "--studies", str(studies)]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="put the page into the document")
    options = parser.parse_args()
    text = page(options.studies)
    sys.stdout.write(text)
    if options.write:
        write("site", f"```text\n{text}```")


if __name__ == "__main__":
    main()
