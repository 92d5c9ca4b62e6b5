"""Free TCP ports for servers that tests start, also where several test runs share a machine.

They lie below the range from which the system takes the ports of outgoing connections
(ip_local_port_range, 32768 on), so that no connection has one by the time its server starts.
"""

import random
import socket

_FIRST, _LAST = 15_000, 31_999
_random = random.SystemRandom()  # another choice in each process, whatever pytest seeds
_given: set[int] = set()


def free_port() -> int:
    """Return a port of the loopback interface that nobody has, each time another one."""
    while True:
        port = _random.randint(_FIRST, _LAST)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
