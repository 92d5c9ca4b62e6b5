"""Models and their runtime, the ports to listen on, and the folders that get results."""

import errno
import socket
from collections.abc import Iterator
from functools import partial

from pacs_ai.checks.finding import Finding, Severity, doubtful, guarded, wrong
from pacs_ai.config import Config, FolderPeer, ModelEntry, model_of, rule_label
from pacs_ai.destinations.kinds import destination_of
from pacs_ai.errors import PeerError
from pacs_ai.flow.classifiers import load_bundles
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.installed import missing
from pacs_ai.net.scp.listener import family_of
from pacs_ai.net.scu.client import KeptAssociations
from pacs_ai.results.kinds import NEED_HEAT_MAPS

_PRIVILEGED = 1024
"""Only root, or a process with CAP_NET_BIND_SERVICE, may listen on a port below this one."""


def models(config: Config) -> Iterator[Finding]:
    """Check every file of the configured bundles, and that they can give what rules ask for."""
    severities = []
    for name, entry in config.models.items():
        remedy = f"install a whole bundle, or correct [models.{name}]; see pacs-ai models verify"
        found = guarded(f"model {name}", remedy, partial(_bundle, name, entry, config))
        severities.append(found.severity)
        yield found
        if found.severity is Severity.OK:
            yield from _unexplained(name, entry, config)
    if Severity.ERROR in severities:
        return  # their versions cannot be read
    if any(model_of(config.models, name) != name for name in config.models):
        remedy = "name each section by the version that its bundle states"
        yield guarded("versions of models", remedy, partial(_versions, config))


def _versions(config: Config) -> Finding:
    return Finding("versions of models", f"{len(load_bundles(config))} sections in order")


def _unexplained(name: str, entry: ModelEntry, config: Config) -> Iterator[Finding]:
    """Name the rules that ask a model without heat maps for results that show only them."""
    keys = config.bundles.trusted_keys
    reason = load_bundle(entry.bundle, entry.sha256, keys).identity.unexplained
    for number, rule in enumerate(config.rules, start=1):
        refused = [kind for kind in rule.results if kind in NEED_HEAT_MAPS]
        if reason and name in rule.models and refused:
            text = (
                f"{rule_label(number, rule)}: {', '.join(refused)} cannot be made: the model has "
                f"no heat maps: {reason}"
            )
            yield doubtful(f"model {name}", text, "take them out of the results of the rule")


def runtime(config: Config) -> Iterator[Finding]:
    """Check that what computes the networks is installed; without a GPU the processor does it."""
    engine = config.engine
    fault = missing(engine.runtime, engine.devices[0])
    if not fault:
        yield Finding("runtime", f"{engine.runtime} on {', '.join(engine.devices)}")
    elif engine.device == "cpu":
        remedy = f'pip install "pacs-ai[{engine.runtime}]", or set engine.runtime = "onnxruntime"'
        yield wrong("runtime", fault, remedy)
    else:
        text = f"{fault}; ONNX Runtime on the processor takes the place"
        yield doubtful("runtime", text, 'install it, or set engine.device = "cpu"')


def ports(config: Config) -> Iterator[Finding]:
    """Check that the address belongs to this machine, and that the two ports differ."""
    node, tls = config.node, config.tls
    both = tls.certificate is not None and tls.plain
    if both and node.port and node.port == tls.port:
        text = f"node.port and tls.port are both {node.port}"
        yield wrong("ports", text, "give one of them another number")
    problem = _unavailable(node.host, node.port)
    if problem:
        text = f"node.host: cannot listen on {node.host} port {node.port}: {problem}"
        yield wrong("host", text, "give an address of this machine (0.0.0.0: all), or another port")


def folders(config: Config) -> Iterator[Finding]:
    """Check the folders that get results; results wait while a folder is missing."""
    for name, peer in config.peers.items():
        if isinstance(peer, FolderPeer):
            try:
                destination_of(config, name, KeptAssociations()).probe()
            except PeerError as error:
                remedy = f"correct peers.{name}.path, mount it, or let this user write in it"
                yield doubtful(f"peer {name}", error.message, remedy)
            else:
                yield Finding(f"peer {name}", f"{peer.path} can be written")


def _unavailable(host: str, port: int) -> str:
    """Say why the node cannot use an address; the node itself may be using the port."""
    with socket.socket(family_of(host), socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port if port < _PRIVILEGED else 0))
        except OSError as error:
            return "" if error.errno == errno.EADDRINUSE else str(error.strerror).lower()
    return ""


def _bundle(name: str, entry: ModelEntry, config: Config) -> Finding:
    keys = config.bundles.trusted_keys
    identity = load_bundle(entry.bundle, entry.sha256, keys).identity
    return Finding(f"model {name}", f"{identity.name} {identity.version}: files in order")
