"""The node as commands open it."""

import contextlib
import sys

from pacs_ai.config import Config
from pacs_ai.flow.context import FlowContext
from pacs_ai.node import wiring


def opened_node(config: Config) -> contextlib.AbstractContextManager[FlowContext]:
    """Open an existing node as `pacs_ai.node.wiring.opened_node` does; print its warnings."""
    return wiring.opened_node(config, _warn)


def _warn(sentence: str) -> None:
    print(f"pacs-ai: warning: {sentence}", file=sys.stderr)
