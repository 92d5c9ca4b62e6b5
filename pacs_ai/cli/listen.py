"""``pacs-ai listen`` and ``pacs-ai work``: the daemons."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai import __version__
from pacs_ai.checks import check_start
from pacs_ai.cli.greeting import Ports, belongings, greeting
from pacs_ai.cli.options import ConfigPath, Verbose, read_config, single
from pacs_ai.config import Config, find_config, load_config
from pacs_ai.domain import TaskKind
from pacs_ai.flow.current_rules import begin_with
from pacs_ai.flow.recover import LeaseWatch, sweep
from pacs_ai.logs import get_logger
from pacs_ai.node.app import HEAVY_TASKS, App, build_app
from pacs_ai.node.daemon import Daemon
from pacs_ai.node.process import leave

listen = single()
work = single()

_log = get_logger()

Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="Worker processes.", show_default=False),
]


@listen.command()
def _listen(
    *,
    aet: Annotated[
        str | None,
        typer.Option("--aet", metavar="AET", help="AE title of the node.", show_default=False),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen on; 0.0.0.0 for all. Default: this machine only.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65535,
            help="TCP port; 0 takes a free one. Default: 11112.",
            show_default=False,
        ),
    ] = None,
    spool: Annotated[
        Path | None,
        typer.Option("--spool", metavar="DIR", help="Folder for the files.", show_default=False),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="URL",
            help="sqlite:///FILE or postgresql://...",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=0,
            help="Worker processes; 0 is --no-workers.",
            show_default=False,
        ),
    ] = None,
    no_workers: Annotated[
        bool, typer.Option("--no-workers", help="Only receive; other nodes do the work.")
    ] = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Run the node: receive studies, analyse them, deliver the results. SIGTERM ends it."""
    if no_workers and workers:
        raise typer.BadParameter("--workers and --no-workers exclude each other")
    flags: dict[str, dict[str, object]] = {
        "node": {"ae_title": aet, "host": host, "port": port},
        "storage": {"spool": spool, "database": database},
        "engine": {"workers": workers or None},
    }
    settings = read_config(config, verbose=verbose, flags=flags, daemon=True)
    app = _checked_app(settings)
    works = not (no_workers or workers == 0)
    daemon = Daemon(
        app,
        listening=True,
        workers=settings.engine.workers if works else 0,
        read=partial(load_config, config, flags),
    )
    daemon.start()
    ports = Ports(daemon.port, daemon.tls_port, daemon.web_port)
    for line in greeting(app, config or find_config(), ports, works=works):
        print(line)
    sys.stdout.flush()
    daemon.wait()
    daemon.stop()
    leave(0)


@work.command()
def _work(
    *,
    workers: Workers = None,
    once: Annotated[
        bool, typer.Option("--once", help="Do what is queued in this process, then end.")
    ] = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Work without listening: for nodes that share spool and database with one that listens."""
    flags: dict[str, dict[str, object]] = {"engine": {"workers": workers}}
    settings = read_config(config, verbose=verbose, flags=flags, daemon=True)
    app = _checked_app(settings)
    if once:
        _work_once(app)
        return
    daemon = Daemon(
        app,
        listening=False,
        workers=settings.engine.workers,
        read=partial(load_config, config, flags),
    )
    daemon.start()
    print(f"pacs-ai {__version__} works without listening; workers: {settings.engine.workers}")
    for line in belongings(app, config or find_config()):
        print(line)
    sys.stdout.flush()
    daemon.wait()
    daemon.stop()
    leave(0)


def _checked_app(settings: Config) -> App:
    """Wire the node once nothing stands against its start; doubts go to the log."""
    for warning in check_start(settings):
        _log.warning("configuration is doubtful", what=warning.text, remedy=warning.remedy)
    return build_app(settings)


def _work_once(app: App) -> None:
    """Empty the queue in this process; what waits for a moment to come is left waiting."""
    from pacs_ai.node.worker import Worker, load_models

    worker = Worker(app, load_models(app.context.config, app.bundles, os.cpu_count() or 1))

    def perform(kind: TaskKind, key: str) -> None:
        (worker if kind in HEAVY_TASKS else app).perform(kind, key)

    try:
        begin_with(app.context)
        sweep(app.context, LeaseWatch())
        done = app.context.engine.drain(perform, tuple(TaskKind))
    finally:
        app.close()
    print(f"{done} task{'s' * (done != 1)} done")
