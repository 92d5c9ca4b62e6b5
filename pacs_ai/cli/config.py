"""``pacs-ai config``: what is configured."""

import json
import sys
from collections.abc import Iterator, Mapping

from pacs_ai.checks import check_start
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, group, read_config
from pacs_ai.cli.tables import print_json
from pacs_ai.config import describe, find_config

app = group("The configuration.")


@app.command()
def check(*, as_json: AsJson = False, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Check the configuration as the start does, and print all that is in force.

    Passwords are hidden. Exit code 2 if the node would not start.
    """
    settings = read_config(config, verbose=verbose)
    shown = describe(settings)
    if as_json:
        print_json(shown)
    else:
        source = config or find_config()
        print(f"# {source if source is not None else 'no file: the defaults'}")
        for line in _lines("", shown):
            print(line)
    sys.stdout.flush()
    for warning in check_start(settings):
        print(f"pacs-ai: WARNING: {warning.text}: {warning.remedy}", file=sys.stderr)


def _lines(prefix: str, values: Mapping[str, object]) -> Iterator[str]:
    for key, value in values.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Mapping):
            yield from _lines(name, value)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for number, one in enumerate(value, start=1):
                yield from _lines(f"{name}[{number}]", one)
        elif value is not None:
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
