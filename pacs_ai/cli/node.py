"""The node as commands open it."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pacs_ai.cli.dispatch import CURRENT
from pacs_ai.cli.options import Command, ConfigPath, Verbose, give, read_config
from pacs_ai.config import Config
from pacs_ai.errors import StateError
from pacs_ai.flow.audit import note
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import subject
from pacs_ai.node import wiring

NodeToOpen = contextlib.AbstractContextManager[FlowContext]
"""The node that a command works on; reading the configuration is part of opening it."""


def with_node(command: Command) -> Command:
    """Give a command ``--config`` and ``-v``, as its parameter ``node_to_open``."""
    options = {"config": ConfigPath, "verbose": Verbose}
    return give(command, "node_to_open", options, _configured_node)


@contextlib.contextmanager
def opened_node(config: Config, named: Mapping[str, object] | None = None) -> Iterator[FlowContext]:
    """Open an existing node as `pacs_ai.node.wiring.opened_node` does; print its warnings.

    That an action was refused is in the ledger, with the study or job that is ``named``.
    """
    with wiring.opened_node(config, _warn) as node, noted_refusals(node, named or {}):
        yield node


@contextlib.contextmanager
def noted_refusals(node: FlowContext, named: Mapping[str, object]) -> Iterator[None]:
    """Enter into the ledger that the action of a block was refused.

    Parameters
    ----------
    named
        What the command was given, with the study or job that it is about.
    """
    try:
        yield
    except StateError as error:
        if not error.missing:
            note.refused(node, CURRENT.get(), error.code, study_id=subject(node, named))
        raise


@contextlib.contextmanager
def _configured_node(
    given: Mapping[str, Any], named: Mapping[str, object]
) -> Iterator[FlowContext]:
    with opened_node(read_config(given["config"], verbose=given["verbose"]), named) as node:
        yield node


def _warn(sentence: str) -> None:
    print(f"pacs-ai: warning: {sentence}", file=sys.stderr)
