"""A whole monitor in processes of its own, to be killed: Kafka, Valkey, a pager, two of each role."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import msgspec
from confluent_kafka.admin import AdminClient

from alerts.settings import Settings
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.embedded.ports import free_port
from streams.guard import Guard
from streams.settings import Source, load
from streams.topic_admin import TopicAdmin
from tests.faults.brokers import make_brokers, start_brokers
from tests.faults.pager import Pager

ROUTING_KEY = "f" * 32
RECIPIENT_KEY = "k" * 32
STEPPED = Path(__file__).with_name("stepped")
HURRIED = Path(__file__).with_name("hurried")
MAKE_TOPICS = """
import json, pathlib, sys
from alerts.settings import Settings
from streams.settings import load
from streams.topic_admin import TopicAdmin
admin = TopicAdmin(load(Settings, pathlib.Path(sys.argv[1]), {}))
admin.apply(json.loads(sys.argv[2]))
"""
"""For a version of which only the folder is known: the command would not take fewer partitions."""


class Role:
    """One instance of one role: a process that can be killed and started again."""

    def __init__(self, kind: str, letter: str, config: Path, logs: Path, code: Path | None = None) -> None:
        self.kind, self.name = kind, f"{kind}-{letter}"
        self.code = code
        """The folder of another version, in place of this one; as it is when it starts."""
        self.port = free_port()
        self.kills = 0
        self.exits: list[int] = []
        """Codes of the exits that nobody asked for."""
        self.wanted = False
        self.steppable = False
        """Whether `step_clock` works; as it is when it starts."""
        self.hurried = False
        """Whether a second in which it fetches nothing is a thousand to it; as it is when it starts."""
        self._config, self._log = config, logs / f"{self.name}.log"
        self._clock = logs / f"{self.name}.clock"
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    def start(self) -> None:
        section = f"CARRIER_HEALTH_{self.kind.upper()}__INSTANCE"
        port = f"CARRIER_HEALTH_HTTP__{self.kind.upper()}_PORT"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "alerts.cli", self.kind, "--config", str(self._config)],
                env={**os.environ, **self._python(), section: self.name, port: str(self.port)},
                cwd=self._log.parent,  # `-m` looks there first, where no code is
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard = Guard(self._process.pid)
        self.wanted = True

    def kill(self) -> None:
        """SIGKILL; returns when the process is gone. Nobody starts it again but the test."""
        self.wanted = False
        self._end(signal.SIGKILL)
        self.kills += 1

    def stop(self, patience_s: float = 20.0) -> int | None:
        """SIGTERM, and the exit code; None when it had to be killed."""
        self.wanted = False
        return self._end(signal.SIGTERM, patience_s)

    def _python(self) -> dict[str, str]:
        if self.hurried:
            return {"PYTHONPATH": str(HURRIED)}
        stepped = {"PYTHONPATH": str(STEPPED), "CARRIER_HEALTH_TEST_CLOCK": str(self._clock)}
        return stepped if self.steppable else python_path(self.code)

    def step_clock(self, off_s: float) -> None:
        """From now on its wall clock is off by so many seconds."""
        new = self._clock.with_suffix(".new")
        new.write_text(str(off_s), encoding="utf-8")
        new.replace(self._clock)

    def tend(self) -> None:
        """What a supervisor does: starts again what ended by itself."""
        if self.wanted and self._process is not None and self._process.poll() is not None:
            self.exits.append(self._process.returncode)
            self._stand_down()
            self.start()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body; (0, b'') when nobody answers."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return answer.status, answer.read()
        except HTTPError as e:
            return e.code, e.read()
        except (URLError, OSError):
            return 0, b""

    def reasons(self) -> list[str]:
        """Why it is not ready; ['no answer'] when it does not even say."""
        status, body = self.get("/readyz")
        return list(msgspec.json.decode(body)["reasons"]) if status else ["no answer"]

    def _end(self, number: int, patience_s: float = 10.0) -> int | None:
        if self._process is None:
            return None
        self._process.send_signal(number)
        try:
            code = self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
            code = None
        self._process = None
        self._stand_down()
        return code

    def _stand_down(self) -> None:
        if self._guard is not None:
            self._guard.release()
            self._guard = None


class Cluster:
    """Everything that runs. Roles are made by `role`, and ended with the cluster."""

    def __init__(
        self, directory: Path, sources: Iterable[Source], overrides: str = "", brokers: int = 1
    ) -> None:
        self._directory, self._sources, self._overrides = directory, list(sources), overrides
        self.brokers = make_brokers(brokers)
        self.valkey = EmbeddedValkey()
        self.pager = Pager()
        self.roles: dict[str, Role] = {}
        self.steppable = False
        self.config = directory / "carrier-health.toml"

    def __enter__(self) -> Self:
        self.pager.start()
        self._write_config()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for role in self.roles.values():
            role.wanted = False
            role._end(signal.SIGKILL)
        for broker in self.brokers:
            broker.close()
        self.valkey.close()
        self.pager.stop()

    def start_servers(self, partitions: Mapping[str, int], code: Path | None = None) -> None:
        """Kafka with its topics, and Valkey. `partitions` overrides counts by short topic name, `code` is
        the folder of the version that makes them."""
        start_brokers(self.brokers)
        self.valkey.start()
        if code:
            self._make_topics_with(code, partitions)
        else:
            self.make_topics(partitions)

    def _make_topics_with(self, code: Path, partitions: Mapping[str, int]) -> None:
        command = [sys.executable, "-c", MAKE_TOPICS, str(self.config), msgspec.json.encode(partitions)]
        env = {**os.environ, **python_path(code)}
        subprocess.run(command, env=env, cwd=self._directory, check=True, timeout=120)

    def make_topics(self, partitions: Mapping[str, int]) -> None:
        admin = TopicAdmin(self.settings)
        admin.apply(dict(partitions))
        admin.close()

    @property
    def kafka(self) -> EmbeddedKafka:
        """The broker, where there is one."""
        (broker,) = self.brokers
        return broker

    @property
    def settings(self) -> Settings:
        return load(Settings, self.config, {})

    def role(self, kind: str, letter: str, code: Path | None = None) -> Role:
        role = Role(kind, letter, self.config, self._directory, code)
        role.steppable = self.steppable
        self.roles[role.name] = role
        return role

    def start_one_of_each(self) -> list[Role]:
        """Ingest, windows and alerts; all of them take part."""
        roles = [self.role(kind, "a") for kind in ("ingest", "windows", "alerts")]
        for role in roles:
            role.start()
        self.wait_ready(roles, 90)
        return roles

    def of(self, kind: str) -> list[Role]:
        return [r for r in self.roles.values() if r.kind == kind]

    def members(self, kind: str) -> int:
        """How many instances of a role are in its consumer group."""
        name = getattr(self.settings, kind).group
        admin = AdminClient({"bootstrap.servers": self.settings.kafka.bootstrap_servers})
        described = admin.describe_consumer_groups([name])[name].result(30)
        return len(described.members)

    def tend(self) -> None:
        for role in self.roles.values():
            role.tend()

    def wait_ready(self, roles: Iterable[Role], within_s: float = 60.0) -> None:
        """Until each of `roles` says that it is ready."""
        for role in roles:
            wait_for(lambda role=role: not role.reasons(), f"{role.name} is ready", within_s, self.tend)

    def _write_config(self) -> None:
        servers = ",".join(broker.bootstrap_servers for broker in self.brokers)
        lines = [
            f'[kafka]\nbootstrap_servers = "{servers}"\nreplication_factor = {len(self.brokers)}\n',
            f'[redis]\nurl = "{self.valkey.url}"\n',
            f'[privacy]\nrecipient_key = "{RECIPIENT_KEY}"\n',
            f'[pagerduty]\nbase_url = "{self.pager.url}"\nrouting_key = "{ROUTING_KEY}"\n',
            *(_source(s) for s in self._sources),
            self._overrides,
        ]
        self.config.write_text("\n".join(lines), encoding="utf-8")


def python_path(code: Path | None) -> dict[str, str]:
    """What makes Python take the packages in the folder `code` before the installed ones."""
    return {"PYTHONPATH": str(code)} if code else {}


def _source(s: Source) -> str:
    return f'[[sources]]\nname = "{s.name}"\nformat = "{s.format}"\ncodes = "{s.codes}"\n'


def wait_for(
    holds: Callable[[], bool],
    what: str,
    within_s: float,
    meanwhile: Callable[[], None] = lambda: None,
    every_s: float = 0.2,
) -> float:
    """Asks until it holds; returns how long it took. Fails the test when it takes too long."""
    began = time.monotonic()
    while not holds():
        meanwhile()
        took = time.monotonic() - began
        assert took < within_s, f"waited {took:.0f} s for: {what}"
        time.sleep(every_s)
    return time.monotonic() - began
