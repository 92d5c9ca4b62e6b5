"""Run one command; turn its error into an exit code and one line."""

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from types import TracebackType

import typer
from typer.main import get_command

from pacs_ai.cli.bug import bug_text
from pacs_ai.cli.commands import GROUPS
from pacs_ai.errors import NoSpace, PacsAIError
from pacs_ai.files import is_full

FAILED, USAGE, INTERRUPTED = 1, 2, 130

CURRENT: ContextVar[str] = ContextVar("CURRENT", default="")
"""The command that runs, without what it was given: ``studies close``."""


def dispatch(module: str, name: str, arguments: Sequence[str]) -> int:
    """Run a command.

    Parameters
    ----------
    module
        Which module of `pacs_ai.cli` has it.
    name
        What it is called.
    arguments
        What follows its name.
    """
    sys.excepthook = _report_bug
    CURRENT.set(" ".join([name, *(arguments[:1] if name in GROUPS else [])]))
    app = command(module, name)
    try:
        # a group without a command prints its help
        words = list(arguments) or (["--help"] if name in GROUPS else [])
        # calling the application itself would replace our hook for bugs with Typer's
        main = get_command(app).main
        outcome = main(words, prog_name=f"pacs-ai {name}", standalone_mode=False)
        sys.stdout.flush()
    except PacsAIError as error:
        return complain(error.code, error.message, error.exit_code)
    except typer.TyperException as error:
        return complain("USAGE", error.format_message(), USAGE)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # the reader has closed the pipe: `pacs-ai ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        if not is_full(error):
            raise
        where = f" ({error.filename})" if error.filename else ""
        message = f"the disk is full{where}: free some space and start the same command again"
        return complain(NoSpace.code, message, NoSpace.exit_code)
    return outcome if isinstance(outcome, int) else 0


def command(module: str, name: str) -> typer.Typer:
    """Import the module of a command and return its Typer application."""
    apps = importlib.import_module(f"pacs_ai.cli.{module}")
    app = getattr(apps, name, None)
    if not isinstance(app, typer.Typer):
        app = apps.app
    assert isinstance(app, typer.Typer)  # noqa: S101 - every module of the table has one
    return app


def complain(code: str, message: str, exit_code: int) -> int:
    """Print one line on standard error that says what went wrong; return the exit code."""
    with contextlib.suppress(BrokenPipeError):
        print(f"pacs-ai: {code}: {' '.join(message.split())}", file=sys.stderr)
    return exit_code


def _report_bug(
    _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    """Print where a bug happened, without its message: messages of libraries quote values."""
    complain("UNEXPECTED", bug_text(error), FAILED)
