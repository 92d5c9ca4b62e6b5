"""Hosts on one machine: a network namespace each, joined by a bridge; own host name, own mounts.

Nothing of it is seen outside: the bridge is in a namespace of its own, where the servers run.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NET = "10.77.0."
SERVERS = f"{NET}1"
"""The address of all that is no node: database, balancer, archives, senders."""

_IP, _UNSHARE, _NSENTER = (shutil.which(name) or name for name in ("ip", "unshare", "nsenter"))
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


def why_not() -> str:
    """Say why there can be no lab here; "" if there can."""
    tried = subprocess.run(
        [_UNSHARE, "-n", "-m", "-u", "sh", "-c", "mount -t tmpfs none /mnt && ip link set lo up"],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if tried.returncode == 0 else f"namespaces are not allowed: {tried.stderr.strip()}"


@dataclass
class Lab:
    """The namespace of the bridge, and those of the hosts."""

    folder: Path
    spool: Path
    name: str = field(default_factory=lambda: f"pa{os.getpid()}")
    hosts: "dict[str, Host]" = field(default_factory=dict)

    @property
    def before(self) -> Sequence[str]:
        """What a command is run under to run where the servers are."""
        return [_IP, "netns", "exec", self.name]

    def host(self, name: str) -> "Host":
        """Add a host."""
        number = len(self.hosts) + 2
        self.hosts[name] = one = Host(self, name, f"{NET}{number}", f"port{number}")
        ns, link = one.namespace, one.link
        _ip("netns", "add", ns)
        _ip("-n", self.name, "link", "add", link, "type", "veth", "peer", "eth0", "netns", ns)
        _ip("-n", self.name, "link", "set", link, "master", "bridge", "up")
        _ip("-n", ns, "address", "add", f"{one.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", ns, "link", "set", device, "up")
        return one

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread, and those that it starts, use the network of the servers."""
        with (
            Path("/proc/thread-self/ns/net").open("rb") as own,
            Path(f"/run/netns/{self.name}").open("rb") as there,
        ):
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(own.fileno())


@dataclass
class Host:
    """One host with a daemon; it can be killed, frozen, and cut off."""

    lab: Lab
    name: str
    address: str
    link: str
    command: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def namespace(self) -> str:
        return f"{self.lab.name}-{self.name}"

    @property
    def log(self) -> str:
        path = self.lab.folder / f"{self.name}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def start(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        """Run a command of pacs-ai, the same as before if none is given."""
        self.command = command or self.command
        mount = str(self.lab.spool)
        prepared = f'hostname {self.name} && mount --bind "{mount}" "{mount}" && exec "$@"'
        with (self.lab.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(_IP, "netns", "exec", self.namespace),
                    *(_UNSHARE, "-u", "-m", "sh", "-c", prepared, "sh"),
                    *(sys.executable, "-m", "pacs_ai", *self.command),
                ],
                stdout=log,
                stderr=log,
                cwd=self.lab.folder,
                env={**os.environ, **(environment or {})},
            )

    def kill(self) -> None:
        """Let the machine die: all its processes at once."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def freeze(self) -> None:
        """Stop all its processes, which keep their connections and locks."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def cut_off(self) -> None:
        """Pull the cable: what is sent is lost, and nobody is told."""
        _ip("-n", self.lab.name, "link", "set", self.link, "down")

    def reconnect(self) -> None:
        """Put it back."""
        _ip("-n", self.lab.name, "link", "set", self.link, "up")

    def lose_spool(self) -> None:
        """Put an empty mount in the place of the spool."""
        self._with_mounts("mount", "-t", "tmpfs", "none", str(self.lab.spool))

    def find_spool(self) -> None:
        """Take that mount away."""
        self._with_mounts("umount", "-l", str(self.lab.spool))

    def _with_mounts(self, *command: str) -> None:
        assert self.process is not None
        subprocess.run([_NSENTER, "-t", str(self.process.pid), "-m", *command], check=True)

    def _signal(self, number: int) -> None:
        done = subprocess.run(
            [_IP, "netns", "pids", self.namespace], capture_output=True, text=True, check=True
        )
        for pid in done.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), number)


@contextlib.contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """Make an empty lab, and leave nothing of it."""
    spool = folder / "spool"
    spool.mkdir(parents=True)
    one = Lab(folder, spool)
    _ip("netns", "add", one.name)
    try:
        _ip("-n", one.name, "link", "set", "lo", "up")
        _ip("-n", one.name, "link", "add", "bridge", "type", "bridge")
        _ip("-n", one.name, "address", "add", f"{SERVERS}/24", "dev", "bridge")
        _ip("-n", one.name, "link", "set", "bridge", "up")
        yield one
    finally:
        for host in one.hosts.values():
            host.kill()
            _ip("netns", "delete", host.namespace)
        _ip("netns", "delete", one.name)


def _ip(*arguments: str) -> None:
    subprocess.run([_IP, *arguments], check=True, capture_output=True)


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
