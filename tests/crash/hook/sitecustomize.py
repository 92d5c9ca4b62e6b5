"""Put first on PYTHONPATH, this kills the process at a marked point, once, or stops it.

``PACS_AI_TEST_KILL = "module:attribute:before|after:flag file"``; the flag file is made at the
moment of death and names the process that dies; where it exists nothing happens any more.
``PACS_AI_TEST_SIGNAL`` names another signal than SIGKILL.
"""

import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path


def install(order: str) -> None:
    module_name, path, when, flag = order.split(":", 3)
    owner: object = importlib.import_module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original: Callable[..., object] = getattr(owner, name)

    def die() -> None:
        try:
            fd = os.open(flag, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return
        os.write(fd, str(os.getpid()).encode())
        os.kill(os.getpid(), signal.Signals[os.environ.get("PACS_AI_TEST_SIGNAL", "SIGKILL")])

    @functools.wraps(original)
    def deadly(*arguments: object, **keywords: object) -> object:
        if when == "before":
            die()
        result = original(*arguments, **keywords)
        die()
        return result

    setattr(owner, name, deadly)
    for module in [*sys.modules.values()]:  # those that have imported it by its name
        for known_as, value in [*getattr(module, "__dict__", {}).items()]:
            if value is original:
                setattr(module, known_as, deadly)


def install_once(order: str) -> None:
    """Install it, unless it has happened."""
    if not Path(order.split(":", 3)[3]).exists():
        install(order)


if "PACS_AI_TEST_KILL" in os.environ:
    install_once(os.environ["PACS_AI_TEST_KILL"])
