"""``pacs-ai web``: the page and the REST API alone, without a daemon."""

import contextlib
import signal
import sys
from typing import Annotated

import typer

from pacs_ai import __version__
from pacs_ai.cli.greeting import page_address
from pacs_ai.cli.node import opened_node
from pacs_ai.cli.options import ConfigPath, Verbose, read_config, single

app = single()


@app.command()
def _web(
    *,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="ADDRESS", help="Address to listen on.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65535,
            help="TCP port; 0 takes a free one. Default: 8080.",
            show_default=False,
        ),
    ] = None,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Serve the page and the REST API of a node; `pacs-ai listen` does so by itself.

    The node need not run: what is asked for here waits in the database until it does.
    """
    from pacs_ai.net.scp.listener import cannot_listen
    from pacs_ai.node.web_process import listening_socket
    from pacs_ai.web.access import require_protection
    from pacs_ai.web.server import serve

    flags: dict[str, dict[str, object]] = {"web": {"host": host, "port": port}}
    settings = read_config(config, verbose=verbose, flags=flags, daemon=True)
    web = settings.web
    with opened_node(settings) as node, contextlib.ExitStack() as closing:
        require_protection(node)
        try:
            listening = closing.enter_context(listening_socket(web.host, web.port))
        except OSError as error:
            raise cannot_listen(web.host, web.port, error) from None
        signal.signal(signal.SIGTERM, lambda *_: None)  # the server ends in order, then we return
        where = page_address(web.host, listening.getsockname()[1])
        print(f"pacs-ai {__version__} serves the page at {where}")
        sys.stdout.flush()
        serve(node, listening)
