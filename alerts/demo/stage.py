"""Sets the stage: Kafka, Valkey, the receiver, the topics and the roles; and clears it away.

Everything lives in one temporary directory and ends with us, however we end: what we leave behind
by being killed is killed by its guard. The end is a crash on purpose, as it is the fastest one and
nobody reads the data again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path

from redis import Redis

from alerts.demo.configuration import Addresses, DemoClock, configuration, without_ours
from alerts.demo.receiver import Receiver
from alerts.settings import Settings, load
from alerts.supervise import Note, Supervisor, commands, plain
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.embedded.cache import cache_dir
from streams.embedded.jars import kafka_home
from streams.embedded.kafka import KAFKA_VERSION
from streams.embedded.ports import free_port
from streams.settings import Source
from streams.topic_admin import TopicAdmin

STOP_GRACE_S = 4.0
MAX_LINE = 300
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Progress = Callable[[str, str], None]
"""(part, state)"""


class Stage:
    """Use `with`: entering starts all but the roles, leaving clears everything away."""

    def __init__(self, sources: tuple[Source, ...], clock: DemoClock, progress: Progress) -> None:
        self._sources, self._clock, self._progress = sources, clock, progress
        self._stack = ExitStack()
        self.receiver = Receiver()

    def __enter__(self) -> Stage:
        try:
            self._set()
        except BaseException:
            self.clear()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """To the end, however often somebody asks us to stop meanwhile."""
        with _deaf():
            self._stack.close()

    def _set(self) -> None:
        _quiet()
        self.directory = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="carrier-health-"))
        )
        at = self._servers()
        self.addresses = at
        self.config = self.directory / "carrier-health.toml"
        self.config.write_text(configuration(self._sources, at, self._clock.config), encoding="utf-8")
        self.settings: Settings = load(self.config, {})
        with self._step("topics"):
            admin = TopicAdmin(self.settings)
            try:
                admin.apply()
            finally:
                admin.close()

    def _servers(self) -> Addresses:
        kafka = EmbeddedKafka(self.directory / "kafka", keep_data=False, stop_grace_s=STOP_GRACE_S)
        valkey = EmbeddedValkey(self.directory / "valkey", keep_data=False, stop_grace_s=STOP_GRACE_S)
        self._kafka, self._valkey = kafka, valkey
        downloads = not kafka_home(cache_dir(), KAFKA_VERSION).exists()
        with self._step("kafka", "downloading and starting" if downloads else "starting"):
            self._stack.callback(kafka.close)
            self._stack.callback(kafka.kill)
            kafka.start()
        with self._step("redis"):
            self._stack.callback(valkey.close)
            valkey.start()
        with self._step("pager"):
            pager = self._stack.enter_context(ReceiverThread(self.receiver))
        return Addresses(kafka.bootstrap_servers, valkey.url, pager.url, *_free_ports(3))

    def start_roles(self, tell: Callable[[Note], None]) -> Supervisor:
        # What roles keep for themselves lies in our directory too, and goes with it.
        env = without_ours(os.environ) | {"TMPDIR": str(self.directory)}
        supervisor = Supervisor(commands(self.config), tell, env=env, log_dir=self.directory)
        self._stack.callback(supervisor.end)
        supervisor.tick()
        return supervisor

    def versions(self) -> dict[str, str]:
        with Redis.from_url(self._valkey.url) as redis:
            server = redis.info("server")
        valkey = server.get("valkey_version") or server.get("redis_version")
        return {
            "carrier-health": metadata.version("carrier-health-monitor"),
            "Apache Kafka": self._kafka.version,
            "Valkey": str(valkey),
            "Python": platform.python_version(),
        }

    def log_tail(self, role: str, lines: int = 12) -> str:
        """The last lines that a role wrote."""
        path = self.directory / f"{role}.log"
        text = path.read_text("utf-8", "replace") if path.exists() else ""
        return "\n".join(plain(line)[:MAX_LINE] for line in text.splitlines()[-lines:])

    def _step(self, part: str, state: str = "starting") -> _Step:
        return _Step(self._progress, part, state)


class _Step:
    """Says that a part is starting, and that it is ready."""

    def __init__(self, progress: Progress, part: str, state: str) -> None:
        self._progress, self._part, self._state = progress, part, state

    def __enter__(self) -> None:
        self._progress(self._part, self._state)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._progress(self._part, "ready")


class ReceiverThread:
    """The receiver in an event loop of its own, so that it answers whatever the others do."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver", daemon=True)
        self.url = ""

    def __enter__(self) -> ReceiverThread:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._receiver.start(), self._loop).result(STOP_GRACE_S)
        self.url = self._receiver.url
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._receiver.stop(), self._loop).result(STOP_GRACE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_GRACE_S)
        self._loop.close()


def _free_ports(count: int) -> list[int]:
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return sorted(found)


@contextmanager
def _deaf() -> Iterator[None]:
    """No signal interrupts the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _quiet() -> None:
    """The clients' own warnings (a broker that goes away at the end) are no news."""
    for noisy in ("kafka", "aiohttp"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


def wall_ms() -> int:
    return int(time.time() * 1000)
