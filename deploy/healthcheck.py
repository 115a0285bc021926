"""Health check of a container: exit code 0 when the role in it answers on /healthz.

A container runs one role, or all of them by `run`; whatever listens on a default port must be well,
and something must listen. Ports of one's own: name them as arguments.
"""

from __future__ import annotations

import http.client
import sys

PORTS = (9101, 9102, 9103, 9104)
TIMEOUT_S = 3.0


def answer(port: int) -> int | None:
    """Status of /healthz, None where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    except OSError:
        return 0
    finally:
        connection.close()


def main(ports: list[int]) -> int:
    answers = {port: answer(port) for port in ports}
    heard = {port: status for port, status in answers.items() if status is not None}
    print("; ".join(f"{port}: {status or 'no answer'}" for port, status in heard.items()) or "nobody listens")
    return 0 if heard and all(status == 200 for status in heard.values()) else 1


if __name__ == "__main__":
    sys.exit(main([int(port) for port in sys.argv[1:]] or list(PORTS)))
