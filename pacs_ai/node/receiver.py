"""A process that receives for the node's daemon; several share its port (SO_REUSEPORT).

`pacs_ai.node.child_process` says how the daemon starts it, and why it never outlives the daemon.
It reports where it listens and what arrives (`pacs_ai.node.arrival_reports`).
"""

from collections.abc import Mapping
from dataclasses import replace

from pacs_ai.config import Config
from pacs_ai.errors import PacsAIError
from pacs_ai.flow.arrivals import ArrivalListener
from pacs_ai.flow.commitment_scp import CommitmentScp
from pacs_ai.flow.current_users import CurrentUsers
from pacs_ai.flow.storage_scp import StorageScp
from pacs_ai.flow.traffic import TrafficListener, TrafficMeter
from pacs_ai.net.scp.server import ServerSettings, StorageServer
from pacs_ai.net.tls import TlsFiles
from pacs_ai.node import child_process
from pacs_ai.node.app import App, build_app
from pacs_ai.node.arrival_reports import ArrivalReporter, report
from pacs_ai.node.process import run_to_end
from pacs_ai.node.wakeup_link import connect_daemon


def storage_server(
    app: App, notes: ArrivalListener, meter: TrafficListener, ports: Mapping[str, int] | None = None
) -> StorageServer:
    """Make the node's Storage SCP.

    Parameters
    ----------
    notes
        Is told of what arrives.
    meter
        Is told of what goes through.
    ports
        ``port`` and ``tls_port`` to share with other processes; None for those of the
        configuration, alone.
    """
    context = app.context
    return StorageServer(
        replace(server_settings(context.config, ports), users=CurrentUsers(context)),
        StorageScp(context, notes, meter),
        CommitmentScp(context),
    )


def server_settings(config: Config, ports: Mapping[str, int] | None = None) -> ServerSettings:
    """Return the settings of the listener but for its users; ``ports`` as in `storage_server`."""
    tls, node, limits = config.tls, config.node, config.limits
    files = None
    if tls.certificate is not None and tls.key is not None:
        files = TlsFiles(tls.certificate, tls.key, tls.ca)
    used = ports or {"port": node.port, "tls_port": tls.port}
    return ServerSettings(
        ae_titles=(node.ae_title, *node.other_ae_titles),
        host=node.host,
        port=used["port"] if files is None or tls.plain else None,
        accept_from=node.accept_from,
        balancers=node.balancers,
        accept_unknown=node.accept_unknown,
        max_associations=node.max_associations,
        max_associations_per_peer=limits.associations_per_peer,
        associations_per_minute=limits.associations_per_minute,
        acse_seconds=limits.acse_seconds,
        pdu_seconds=limits.pdu_seconds,
        idle_seconds=limits.idle_seconds,
        max_pdu=limits.max_pdu,
        max_instance=limits.max_instance,
        max_command=limits.max_command,
        reuse_port=ports is not None,
        tls_port=used["tls_port"],
        tls=files,
    )


def main() -> int:
    """Listen until the daemon says to stop, or is gone."""
    child = child_process.set_up()
    try:
        app = build_app(child.config, owner=child.owner, child=True)
        connect_daemon(app.context.engine.wakeups, child.wakeups)
        traffic = TrafficMeter(app.context.spool, child.owner.rpartition("/")[2])
        traffic.begin()
        server = storage_server(app, ArrivalReporter(), traffic, child.settings["ports"])
        server.start()
    except PacsAIError as error:
        report(failed=error.message)
        return error.exit_code
    report(listening=[server.port, server.tls_port])
    child.stop.wait()
    server.stop()
    traffic.close()
    app.close()
    return 0


if __name__ == "__main__":
    run_to_end(main)
