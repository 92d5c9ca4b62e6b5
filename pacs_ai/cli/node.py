"""The node as commands open it."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from pacs_ai.cli.options import Command, ConfigPath, Verbose, give, read_config
from pacs_ai.config import Config
from pacs_ai.flow.context import FlowContext
from pacs_ai.node import wiring

NodeToOpen = contextlib.AbstractContextManager[FlowContext]
"""The node that a command works on; reading the configuration is part of opening it."""


def with_node(command: Command) -> Command:
    """Give a command ``--config`` and ``-v``, as its parameter ``node_to_open``."""
    options = {"config": ConfigPath, "verbose": Verbose}
    return give(command, "node_to_open", options, lambda given: _configured_node(**given))


def opened_node(config: Config) -> NodeToOpen:
    """Open an existing node as `pacs_ai.node.wiring.opened_node` does; print its warnings."""
    return wiring.opened_node(config, _warn)


@contextlib.contextmanager
def _configured_node(config: Path | None, *, verbose: bool) -> Iterator[FlowContext]:
    with opened_node(read_config(config, verbose=verbose)) as node:
        yield node


def _warn(sentence: str) -> None:
    print(f"pacs-ai: warning: {sentence}", file=sys.stderr)
