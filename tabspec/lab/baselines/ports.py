"""A free port of the loopback interface, for programs that cannot be given 0."""

from __future__ import annotations

import random
import socket

# Below the ports that Linux gives to who asks for any (from 32768 on), so that no other program gets it before the one
# that it is for listens; and above Ray's for workers (up to 19999).
_PORTS = range(20_000, 32_768)


def free_port() -> int:
    """A port that was free a moment ago. Processes that ask at the same time hardly get the same one."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
