"""Ports for private servers.

They lie below the range that the kernel gives to outgoing connections: there, a client that
reconnects can hold the port of a server that was killed, which then cannot come back.
"""

import random
import socket
from contextlib import ExitStack

LOWEST = 10240
#: The first port of the kernel's default ephemeral range.
BEYOND = 32768
LOOPBACK = "127.0.0.1"

_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Choose *count* different ports that nobody listens on, none given before by this process.

    Another process may still take one before it is used: retry the start with new ones.
    """
    ports: list[int] = []
    with ExitStack() as held:
        while len(ports) < count:
            port = random.randrange(LOWEST, BEYOND)
            if port in _given:
                continue
            candidate = held.enter_context(socket.socket())
            try:
                candidate.bind((LOOPBACK, port))
            except OSError:
                continue
            ports.append(port)
            _given.add(port)
    return ports
