"""TCP ports on 127.0.0.1."""

import random
import socket

from streams.embedded.errors import PortInUse

# Below the ephemeral ranges of Linux (32768 up) and macOS (49152 up). A port out of the ephemeral range
# can be lost between stop and start: a client that retries against it may be given that very port as
# its own source port, connect to itself, and keep the server from binding.
_LOWEST = 20_000
_HIGHEST = 32_000
_ATTEMPTS = 200


def free_port(other_than: int | None = None) -> int:
    """A port that nothing listens on now; raises OSError if none is found."""
    for _ in range(_ATTEMPTS):
        port = random.randint(_LOWEST, _HIGHEST)
        if port != other_than and _is_free(port):
            return port
    raise OSError(f"found no free port between {_LOWEST} and {_HIGHEST} in {_ATTEMPTS} attempts")


def require_free(name: str, port: int) -> None:
    """Raises PortInUse, in the name of the server that wanted the port."""
    if not _is_free(port):
        raise PortInUse(name, port)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do it: connections in TIME_WAIT do not keep a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
