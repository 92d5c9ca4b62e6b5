"""The training commands as functions; `pacs_ai.cli.training` makes commands of them.

Nothing here imports TensorFlow, so help is fast and works without the ``train`` extra.
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from pacs_ai.errors import ConfigError

COMMANDS: Mapping[str, str] = {
    "download": "download",
    "dataset": "dataset",
    "train": "train",
    "finetune": "train",
    "tune": "train",
    "evaluate": "evaluate",
    "explain": "evaluate",
    "compare": "compare",
    "mlflow": "mlflow",
    "export": "evaluate",
    "quantise": "evaluate",
    "import_model": "importing",
    "list_weights": "weights",
    "fetch_weights": "weights",
    "import_weights": "weights",
}
"""The module of each command."""


def function(name: str) -> Callable[..., Any]:
    """Import and return the function of a command."""
    module = importlib.import_module(f"{__name__}.{COMMANDS[name]}")
    found: Callable[..., Any] = getattr(module, name)
    return found


_EXTRA = ("keras", "matplotlib", "onnx", "optuna", "tf2onnx", "tomli_w")


def need_extra(*names: str, extra: str = "train") -> None:
    """Check that the libraries of an extra are installed: all of ``train``, or those named.

    Raises
    ------
    ConfigError
        If one is missing; the message says how to install them.
    """
    missing = [name for name in names or _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"this command needs {', '.join(missing)}, which a node does not: "
            f"pip install 'pacs-ai[{extra}]'"
        )
