"""The training commands: plain functions, which `pacs_ai.cli.training` makes into applications.

Nothing here imports TensorFlow: help answers at once, also where the ``train`` extra is missing.
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping

from pacs_ai.errors import ConfigError

COMMANDS: Mapping[str, str] = {
    "download": "download",
    "dataset": "dataset",
    "train": "learn",
    "finetune": "learn",
    "tune": "learn",
    "evaluate": "judge",
    "explain": "judge",
    "export": "judge",
    "quantise": "judge",
}
"""Command: the module of this package that has it."""


def function(name: str) -> Callable[..., None]:
    """Import and return the function of a command."""
    module = importlib.import_module(f"{__name__}.{COMMANDS[name]}")
    found: Callable[..., None] = getattr(module, name)
    return found


_EXTRA = ("keras", "matplotlib", "onnx", "optuna", "tf2onnx")


def need_extra(*names: str) -> None:
    """Refuse to go on without the libraries that training needs: all, or those named.

    Raises
    ------
    ConfigError
        If one is missing; the message says how to install them.
    """
    missing = [name for name in names or _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"training needs {', '.join(missing)}, which a node does not: "
            "pip install 'pacs-ai[train]'"
        )
