"""The training commands, which live in the package `training` beside this one.

Only here is it loaded, by name and when a command of it runs, so that the node never depends on
it (docs/adr/0004-training-is-a-top-level-package.md).
"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import typer

from pacs_ai import __version__
from pacs_ai.cli.options import single
from pacs_ai.errors import ConfigError

_PACKAGE = "training"


def __getattr__(name: str) -> typer.Typer:
    """Make the application of a training command, by the command's name."""
    if name.startswith("_"):
        raise AttributeError(name)
    app = single()
    app.command()(training_function(name))
    return app


def training_function(name: str) -> Callable[..., Any]:
    """Return the function of a training command.

    Raises
    ------
    ConfigError
        If the package of training is missing, or is another one.
    """
    _check()
    found: Callable[..., Any] = importlib.import_module(f"{_PACKAGE}.cli").function(name)
    return found


def _check() -> None:
    """Refuse a package of the same name that is not ours, or not of this version."""
    try:
        found: ModuleType = importlib.import_module(_PACKAGE)
    except ModuleNotFoundError as error:
        raise ConfigError("this installation has no package training: install it again") from error
    belongs = getattr(found, "__pacs_ai__", None)
    if belongs != __version__:
        raise ConfigError(
            f"the package training at {found.__file__} is not that of pacs-ai {__version__}: "
            "run the command from another folder, or remove it"
        )
