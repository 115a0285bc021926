"""Valkey, which speaks the protocol of Redis, with every write in an append-only file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from streams.embedded.binaries import valkey_server
from streams.embedded.ports import free_port
from streams.embedded.process import EmbeddedServer

_PROBE_TIMEOUT_S = 0.5


class EmbeddedValkey(EmbeddedServer):
    """A Valkey of our own; see EmbeddedServer for its life cycle.

    `settings` are options of valkey.conf over ours, and win. A write that was answered is in the hands of
    the kernel (`appendfsync everysec`), so it survives SIGKILL of the server, not the loss of the machine.
    """

    name = "valkey"

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int | None = None,
        keep_data: bool | None = None,
        settings: Mapping[str, str] | None = None,
        ready_timeout_s: float = 20.0,
        stop_grace_s: float = 10.0,
    ) -> None:
        super().__init__(data_dir, keep_data, ready_timeout_s, stop_grace_s)
        self.port = port or free_port()
        self._settings = dict(settings or {})

    @property
    def url(self) -> str:
        """As redis clients want it, database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _ports(self) -> Sequence[int]:
        return (self.port,)

    def _command(self, store: Path) -> Sequence[str]:
        store.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(store),
            "appendonly": "yes",
            "save": "",  # no snapshots beside the append-only file
            **self._settings,
        }
        flags = [word for key, value in options.items() for word in (f"--{key}", value)]
        return [str(valkey_server()), *flags]

    def _answers(self) -> bool:
        """PONG; while it still loads its file, it answers LOADING, which is an error."""
        try:
            with Redis(port=self.port, socket_timeout=_PROBE_TIMEOUT_S, retry=Retry(NoBackoff(), 0)) as probe:
                return bool(probe.ping())
        except RedisError:
            return False
