"""One cell of the matrix: an incident opens and ends while the pager, or Redis, has a fault and the
alerts role is killed at one step of sending; then what the pager got is counted.

windows   healthy ... | ill ........ trigger recorded | healthy ........ resolve recorded
pager                 | fault, then accepts           | fault, then accepts
alerts    start       | killed at the step, again     | killed at the step, again
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.request import urlopen

from alerts.demo.receiver import Mood
from alerts.records import Incident, State
from alerts.settings import Settings
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.embedded.ports import free_port
from streams.guard import Guard
from streams.records import BUCKET_S
from streams.settings import load
from streams.topic_admin import TopicAdmin
from tests.faults.audit import incidents
from tests.faults.buckets import END_S, ILL_FROM_S, ILL_UNTIL_S, Log
from tests.faults.cluster import RECIPIENT_KEY, ROUTING_KEY, wait_for
from tests.faults.doomed import NEVER
from tests.faults.pager import Pager
from tests.faults.troubles import CAP_S, SCALE, Counted, Trouble

WITHIN_S = 90.0
SETTLE_S = 1.5
UNSENT = 'pager_oldest_unsent_seconds{route="pagerduty"}'
SMALL = ("-Xmx512m", "-XX:+UseSerialGC")
FEW_PARTITIONS = dict.fromkeys(("outcomes", "failed-recipients", "retry-advice", "dead-letters"), 1)


class Doomed:
    """The process of the alerts role, with the step at which it ends."""

    def __init__(self, config: Path, cap_s: float) -> None:
        self._config, self._log, self._cap_s = config, config.with_suffix(".log"), cap_s
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._port = free_port()
        self.kills = 0

    def start(self, step: str, action: str) -> None:
        self.stop()
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "tests.faults.doomed", str(self._config)]
            self._process = subprocess.Popen(
                [*command, step, action, str(self._cap_s)],
                cwd=Path(__file__).parents[2],
                env={**os.environ, "CARRIER_HEALTH_HTTP__ALERTS_PORT": str(self._port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard = Guard(self._process.pid)

    def tend(self, step: str, action: str) -> None:
        """Starts it again when it has ended."""
        if self._process is not None and self._process.poll() is not None:
            self.kills += self._process.returncode == -9
            self.start(step, action)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None
        if self._guard is not None:
            self._guard.release()
            self._guard = None

    def metric(self, series: str) -> float:
        """Of the process that runs now; 0 while it says nothing."""
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=2) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return 0.0
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"carrier_health_{series} "))

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""


class Cell:
    """One fault at one step, on topics of its own."""

    def __init__(self, kafka: str, redis: str, directory: Path, trouble: Trouble, step: str) -> None:
        self._trouble, self._step = trouble, step
        self._name = f"{trouble.name}-{step}".replace(" ", "-").replace(",", "").lower()
        self._broker = EmbeddedKafka(jvm_options=SMALL) if trouble.kafka != "there" else None
        self._kafka = self._broker.bootstrap_servers if self._broker else kafka
        self._directory = directory
        self._pager = Pager()
        self._valkey = EmbeddedValkey() if trouble.redis != "there" else None
        self._redis = self._valkey.url if self._valkey else redis
        self._base_s = int(time.time()) // BUCKET_S * BUCKET_S - END_S

    def run(self) -> Counted:
        """Plays it to its end. Fails the test, with the last lines of the role, when it does not end."""
        self._pager.start()
        for server in (self._valkey, self._broker):
            if server:
                server.start()
        config = self._directory / f"{self._name}.toml"
        settings = configured(config, self._kafka, self._redis, self._pager)
        cap_s = CAP_S / SCALE if self._trouble.for_s else CAP_S
        role = Doomed(config, cap_s)
        try:
            return self._play(settings, role)
        except AssertionError as e:
            raise AssertionError(f"{self._name}: {e}\n{role.output[-4000:]}") from None
        finally:
            role.stop()
            self._pager.stop()
            for server in (self._valkey, self._broker):
                if server:
                    server.close()

    def _play(self, settings: Settings, role: Doomed) -> Counted:
        written = Log(settings, self._base_s)
        written.until(ILL_FROM_S)
        role.start(self._step, "trigger")
        self._begin_trouble()
        written.until(ILL_UNTIL_S)
        if self._trouble.unheard:
            return self._unheard(settings, role, written)
        if self._broker:
            self._without_kafka(role, self._broker)
        self._wait(settings, role, lambda found: _told(found, "trigger"), "resolve", "the page is recorded")
        self._wait_killed(role, 1, "resolve")
        if self._trouble.redis == "emptied" and self._valkey:
            self._valkey.stop()
            self._valkey.start(fresh=True)
        if not self._broker:
            self._begin_trouble()
        written.until(END_S)
        self._wait(settings, role, lambda found: _told(found, "resolve"), "none", "the resolve is recorded")
        self._wait_killed(role, 2, "none")
        time.sleep(SETTLE_S)
        return self._count(incidents(settings), role.kills)

    def _unheard(self, settings: Settings, role: Doomed, written: Log) -> Counted:
        """Two attempts at least are refused, then the incident ends; a pager that is back hears of it."""
        tend = partial(role.tend, self._step, "none")
        wait_for(lambda: len(incidents(settings)) == 1, "the incident is open", WITHIN_S, tend, 0.5)
        self._wait_killed(role, 1, "none")
        wait_for(lambda: len(self._pager.log) >= 2, "the page is refused", WITHIN_S, tend)
        wait_for(lambda: role.metric(UNSENT) > 0, "the rule of takeover can see it", WITHIN_S, tend)
        written.until(END_S)
        wait_for(lambda: _ended(incidents(settings)), "the incident has ended", WITHIN_S, tend, 0.5)
        if self._trouble.back:
            self._pager.meet(Mood())
            wait_for(lambda: bool(self._pager.changes), "the pager is told of what it missed", WITHIN_S, tend)
        time.sleep(SETTLE_S)
        attempts = len(self._pager.log)
        time.sleep(SETTLE_S)
        assert len(self._pager.log) == attempts, "it is tried on, though all is over"
        return self._count(incidents(settings), role.kills)

    def _without_kafka(self, role: Doomed, broker: EmbeddedKafka) -> None:
        """What is held goes out although nothing can be written; it is written once Kafka is back."""
        tend = partial(role.tend, self._step, "trigger")
        wait_for(lambda: bool(self._pager.log), "the page is held", WITHIN_S, tend)
        broker.kill()
        self._pager.meet(Mood())
        wait_for(lambda: bool(self._pager.still_open), "the page has gone out", WITHIN_S, tend)
        assert not broker.running
        broker.start()

    def _begin_trouble(self) -> None:
        self._pager.meet(self._trouble.mood)
        self._until = time.monotonic() + (self._trouble.for_s or 0.0)
        if self._trouble.redis == "away" and self._valkey:
            self._valkey.kill()

    def _wait(
        self,
        settings: Settings,
        role: Doomed,
        holds: Callable[[list[Incident]], bool],
        next_action: str,
        what: str,
    ) -> None:
        def meanwhile() -> None:
            role.tend(self._step, next_action)
            if self._trouble.for_s and time.monotonic() >= self._until:
                self._pager.meet(Mood())

        limit_s = WITHIN_S + (self._trouble.for_s or 0.0)
        wait_for(lambda: holds(incidents(settings)), what, limit_s, meanwhile, 0.5)
        meanwhile()

    def _wait_killed(self, role: Doomed, times: int, next_action: str) -> None:
        if self._step != NEVER:
            tend = partial(role.tend, self._step, next_action)
            wait_for(lambda: role.kills >= times, f"kill {times} has come", 20.0, tend)

    def _count(self, found: list[Incident], kills: int) -> Counted:
        log = self._pager.log
        taken = [e for e in log if e.effect]
        effects = Counter(e.effect for e in taken)
        woken = Counter(e.event["dedup_key"] for e in taken if e.effect == "opened")
        wanted = {i.key for i in found}
        wrong = [str(e.errors) for e in log if e.errors]
        wrong += [f"woken {n} times by {key}" for key, n in woken.items() if n > 1]
        wrong += [f"not ours: {key}" for key in woken.keys() - wanted]
        last = {e.event["dedup_key"]: e.event["event_action"] for e in taken}
        wrong += [f"{key} ended with {action}" for key, action in last.items() if action != "resolve"]
        missed = len(wanted - woken.keys()) - len(self._pager.changes)
        lost = max(missed, 0) + len(self._pager.still_open)
        return Counted(woken.total(), lost, effects["repeated"], len(log), kills, tuple(wrong))


def _ended(found: list[Incident]) -> bool:
    return [i.state for i in found] == [State.RESOLVED]


def configured(config: Path, kafka: str, redis: str, pager: Pager) -> Settings:
    """Writes the configuration of an alerts role whose topics, made here, bear the name of the file."""
    name = config.stem
    tables = [
        f'[kafka]\nbootstrap_servers = "{kafka}"\nreplication_factor = 1\ntopic_prefix = "{name}."',
        f'[redis]\nurl = "{redis}"',
        f'[privacy]\nrecipient_key = "{RECIPIENT_KEY}"',
        f'[alerts]\ngroup = "{name}"\n[alerting]\ncanary_s = 0',
        f'[pagerduty]\nbase_url = "{pager.url}"\nrouting_key = "{ROUTING_KEY}"',
        '[[sources]]\nname = "twilio"\nformat = "canonical"\ncodes = "twilio"',
    ]
    config.write_text("\n".join(tables) + "\n", encoding="utf-8")
    settings = load(Settings, config, {})
    admin = TopicAdmin(settings)
    admin.apply(FEW_PARTITIONS)
    admin.close()
    return settings


def _told(found: list[Incident], action: str) -> bool:
    """Whether the incident is written with this as the last thing that the pager accepted."""
    ended = action == "resolve"
    if len(found) != 1 or (found[0].state is State.RESOLVED) is not ended:
        return False
    return bool(found[0].deliveries) and found[0].deliveries[-1].action == action
