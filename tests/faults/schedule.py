"""Who is struck when: drawn from a seed, written down, carried out."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from streams.records import Partial
from streams.topics import PARTIALS
from tests.faults import surroundings
from tests.faults.cluster import Cluster, Role, wait_for
from tests.faults.leaks import Leaks
from tests.faults.traffic import PARTITIONS

BACK_AFTER_S = (0.5, 4.0)
SECOND_BACK_AFTER_S = 8.0
TRANSACTION_PATIENCE_S = 3.0


class Fault(NamedTuple):
    """`at_s` from the start of the live feed. `kind`: a role, or one of surroundings.KINDS. `both`: the
    other instance of the role as well. `renew`: told to end, not killed, and back at once as this version
    of the code."""

    at_s: float
    kind: str
    both: bool = False
    for_good: bool = False
    renew: bool = False


class Done(NamedTuple):
    """What was done: wall times (epoch s) of the kill and of the first start after it."""

    fault: Fault
    names: tuple[str, ...]
    killed_at: float
    back_at: float | None


def draw(seed: int, seconds: float, rounds: int, apart_s: float) -> list[Fault]:
    """`rounds` kills of each role in random order, then both of each, one ingest for good at 2/3."""
    rng = random.Random(seed)
    kinds = [Fault(0, kind) for kind in ("ingest", "windows", "alerts") for _ in range(rounds)]
    kinds += [Fault(0, "windows", both=True), Fault(0, "ingest", both=True), Fault(0, "alerts", both=True)]
    rng.shuffle(kinds)
    kinds.insert(len(kinds) * 2 // 3, Fault(0, "ingest", for_good=True))
    first, step = 8.0, min(apart_s, (seconds - 8.0) / len(kinds))
    times = [first + i * step + rng.uniform(0, step / 3) for i in range(len(kinds))]
    return [fault._replace(at_s=at_s) for fault, at_s in zip(kinds, times, strict=True)]


def draw_around(seed: int, from_s: float, seconds: float, apart_s: float) -> list[Fault]:
    """Everything that happens around the roles, each in random order, again and again until `seconds`."""
    rng = random.Random(seed)
    at_s, faults = from_s, list[Fault]()
    while True:
        for kind in rng.sample(surroundings.KINDS, len(surroundings.KINDS)):
            if at_s + apart_s > seconds:
                return faults
            faults.append(Fault(at_s + rng.uniform(0, apart_s / 5), kind, both=kind == "kafka"))
            at_s += apart_s


class Executioner:
    """Carries a schedule out, and supervises what nobody killed."""

    def __init__(self, cluster: Cluster, seed: int, say: Callable[[str], None] = print) -> None:
        self._cluster, self._rng, self._say = cluster, random.Random(seed), say
        self.done: list[Done] = []
        self.leaks = Leaks()
        self._watch = TransactionWatch(cluster)
        self._back: list[tuple[float, Role]] = []
        self._gone: set[str] = set()
        self._undo: list[tuple[float, surroundings.Undo]] = []

    def run(self, faults: list[Fault], began: float, until: Callable[[], bool]) -> None:
        """Until all is done and `until` says so. `began` is a wall time, epoch s."""
        left = list(faults)
        while not until() or left:
            if left and time.time() >= began + left[0].at_s:
                self._strike(left.pop(0))
            self._bring_back()
            self._cluster.tend()
            self.leaks.look(self._cluster)
            time.sleep(0.05)
        while self._back or self._undo:
            self._bring_back()
            time.sleep(0.05)

    def close(self) -> None:
        self._watch.close()

    def _strike(self, fault: Fault) -> None:
        if fault.renew:
            self._renew(fault)
        elif fault.kind in surroundings.KINDS:
            self._disturb(fault)
        else:
            self._kill(fault)

    def _disturb(self, fault: Fault) -> None:
        at = time.time()
        who, undo = surroundings.disturb(self._cluster, fault.kind, self._rng)
        until = at + surroundings.LASTS_S[fault.kind]
        self._undo.append((until, undo))
        self.done.append(Done(fault, (who,), at, until))
        self._say(f"{fault.at_s:6.1f} s: {fault.kind}{'' if who == fault.kind else f', {who}'}")

    def _kill(self, fault: Fault) -> None:
        alive = [r for r in self._cluster.of(fault.kind) if r.name not in self._gone]
        running = [r for r in alive if r.running] or alive
        victims = alive if fault.both else [self._rng.choice(running)]
        self._back = [(at, r) for at, r in self._back if r not in victims]
        if fault.kind == "ingest" and not fault.both:
            self._watch.wait_for_open_transaction(victims[0].name)
        killed_at = time.time()
        for role in victims:
            role.kill()
        back_at = None if fault.for_good else self._plan_return(victims)
        if fault.for_good:
            self._gone.add(victims[0].name)
        names = tuple(r.name for r in victims)
        self.done.append(Done(fault, names, killed_at, back_at))
        self._say(f"{fault.at_s:6.1f} s: killed {', '.join(names)}{' for good' if fault.for_good else ''}")

    def _renew(self, fault: Fault) -> None:
        roles = self._cluster.roles.values()
        if all(r.code for r in roles):
            self._cluster.make_topics({"outcomes": PARTITIONS})
        role = next(r for r in self._cluster.of(fault.kind) if r.code)
        self._wait_until_all_take_part(fault.kind)
        code = role.stop()
        assert code == 0, f"{role.name} was told to stop and ended with {code}:\n{role.output[-3000:]}"
        role.code = None
        role.start()
        self._say(f"{fault.at_s:6.1f} s: {role.name} is of this version now")

    def _wait_until_all_take_part(self, kind: str) -> None:
        """As a deployment does before it goes on to the next."""
        wanted = len(self._cluster.of(kind))
        wait_for(lambda: self._cluster.members(kind) == wanted, f"all of {kind} take part", 120)

    def _plan_return(self, victims: list[Role]) -> float:
        first = time.time() + self._rng.uniform(*BACK_AFTER_S)
        self._back += [(first + i * SECOND_BACK_AFTER_S, role) for i, role in enumerate(victims)]
        return first

    def _bring_back(self) -> None:
        due = [role for at, role in self._back if time.time() >= at]
        self._back = [(at, role) for at, role in self._back if time.time() < at]
        for role in due:
            role.start()
        over = [undo for at, undo in self._undo if time.time() >= at]
        self._undo = [(at, undo) for at, undo in self._undo if time.time() < at]
        for undo in over:
            undo()


class TransactionWatch:
    """Sees partials before their transaction is committed."""

    def __init__(self, cluster: Cluster) -> None:
        settings = cluster.settings
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka.bootstrap_servers,
                "group.id": "transaction-watch",
                "enable.auto.commit": False,
                "isolation.level": "read_uncommitted",
                "fetch.wait.max.ms": 50,
            }
        )
        self._consumer.assign([TopicPartition(settings.topic(PARTIALS), 0, OFFSET_END)])
        self._lock = threading.Lock()

    def wait_for_open_transaction(self, writer: str) -> bool:
        """Returns when a partial of `writer` has just arrived, whose commit is still to come."""
        self._consumer.consume(1000, 0)
        deadline = time.monotonic() + TRANSACTION_PATIENCE_S
        while time.monotonic() < deadline:
            message = self._consumer.poll(0.2)
            if message is not None and message.error() is None:
                value = message.value()
                if value and msgspec.json.decode(value, type=Partial).writer == writer:
                    return True
        return False

    def close(self) -> None:
        self._consumer.close()
