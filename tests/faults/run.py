"""One run of the fault test, from an empty Kafka to the figures."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec
from confluent_kafka import Consumer, TopicPartition

from alerts.records import State
from streams.errors import STARTS_ANEW
from streams.records import BUCKET_S, ClosedBucket
from streams.simulate.parts import Scenario
from streams.simulate.scenario import labels_of, sources_of
from streams.simulate.truth import Label
from tests.faults.audit import Audit, incidents
from tests.faults.cluster import Cluster, wait_for
from tests.faults.feeder import Feeder
from tests.faults.schedule import Done, Executioner, Fault
from tests.faults.traffic import PARTITIONS, Plan
from tests.faults.writer import Writer

REPORT = "CARRIER_HEALTH_SOAK_REPORT"
DRAIN_S = 90.0
LOOK_AHEAD_S = 40.0


class Course(NamedTuple):
    """What is run. `lead_s` of traffic lies in the topic before the roles start."""

    name: str
    seed: int
    scenario: Scenario
    records_per_s: float
    lead_s: int
    faults: list[Fault]
    overrides: str = ""
    code: Path | None = None
    """The folder of the version that the roles start with; None for this one."""


class Outcome(NamedTuple):
    audit: Audit
    labels: tuple[Label, ...]
    done: list[Done]
    cluster: Cluster
    figures: dict[str, float]


def run(course: Course, directory: Path) -> Outcome:
    """Carries it out and returns what there is to check. Servers are gone when it returns."""
    with Cluster(directory, sources_of(course.scenario), course.overrides) as cluster:
        cluster.start_servers({"outcomes": PARTITIONS}, course.code)
        outcome = _live(course, cluster)
        stop_all(cluster)
        outcome.audit.load()
        check_all(outcome)
    return outcome


def _live(course: Course, cluster: Cluster) -> Outcome:
    settings = cluster.settings
    start_ms = (int(time.time()) // BUCKET_S * BUCKET_S - course.lead_s) * 1000
    labels = labels_of(course.scenario, start_ms)
    plan = Plan(course.scenario, course.seed, start_ms, course.records_per_s)
    writer = Writer(settings.kafka.bootstrap_servers, settings.topic("outcomes"), course.seed)
    feeder = Feeder(plan, writer, start_ms)
    feeder.write_until(int(time.time() * 1000))
    began = time.time()
    feeder.start()
    print(f"{course.name}: seed {course.seed}, {feeder.truths.records} records before the start")
    for kind in ("ingest", "windows", "alerts"):
        for letter in ("a", "b"):
            cluster.role(kind, letter, course.code).start()
    executioner = Executioner(cluster, course.seed)
    if course.faults:
        feeder.leave_one_open()
    executioner.run(course.faults, began, feeder.is_done)
    executioner.close()
    ended = time.time()
    print(f"{feeder.truths.records} records written in {ended - began:.0f} s")
    drained_s = wait_closed(cluster, ended)
    figures = {"drain_s": drained_s, "feed_s": ended - began, **_kills(cluster, executioner.done)}
    figures |= executioner.leaks.figures()
    wait_for(lambda: _canary_seen(cluster, began), "a canary has come through", DRAIN_S, cluster.tend, 1.0)
    figures["settle_s"] = _wait_settled(cluster, len(labels))
    return Outcome(Audit(settings, feeder.truths), labels, executioner.done, cluster, figures)


def _wait_settled(cluster: Cluster, labels: int) -> float:
    """Until every page is resolved, or to its bound: the sums are added up before the pages are judged, so
    that a fault of either is seen beside the other."""
    began = time.monotonic()
    while not _settled(cluster, labels) and time.monotonic() - began < DRAIN_S:
        cluster.tend()
        time.sleep(1.0)
    return time.monotonic() - began


def _settled(cluster: Cluster, labels: int) -> bool:
    """Each page is resolved, and `incidents` says so."""
    effects = Counter(e.effect for e in cluster.pager.log)
    if effects["opened"] < labels or effects["resolved"] < effects["opened"]:
        return False
    told = (i.deliveries[-1].action for i in incidents(cluster.settings) if i.deliveries)
    return Counter(told)["resolve"] >= labels


def _canary_seen(cluster: Cluster, since: float) -> bool:
    """Whether the owner of the incidents has seen one of after `since` in a closed bucket."""
    name = b"carrier_health_canary_last_seen_timestamp_seconds "
    lines = [line for role in cluster.of("alerts") for line in role.get("/metrics")[1].splitlines()]
    return any(float(line.split()[-1]) > since for line in lines if line.startswith(name))


def _kills(cluster: Cluster, done: list[Done]) -> dict[str, float]:
    kills = Counter[str]()
    for d in done:
        kills[d.fault.kind] += len(d.names)
    exits = Counter[str]()
    for role in cluster.roles.values():
        exits[f"own_exits_{role.kind}"] += len(role.exits)
    return {f"kills_{kind}": n for kind, n in kills.items()} | dict(exits)


def wait_closed(cluster: Cluster, ended: float) -> float:
    """Until a bucket is closed that began after `ended`: everything written is in or late."""
    settings = cluster.settings
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka.bootstrap_servers,
            "group.id": "drain",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.assign([TopicPartition(settings.topic("windows"), 0, 0)])

    def closed() -> bool:
        messages = consumer.consume(10_000, 0.1)
        buckets = (
            msgspec.json.decode(m.value(), type=ClosedBucket).bucket_s for m in messages if not m.error()
        )
        return any(b > ended for b in buckets)

    try:
        return wait_for(closed, "all buckets are closed", DRAIN_S, cluster.tend)
    finally:
        consumer.close()


def stop_all(cluster: Cluster) -> None:
    """In order, as a deployment does it: a role that is told to stop finishes and ends well. Alerts first,
    which writes canaries that nobody would read any more."""
    for role in sorted(cluster.roles.values(), key=lambda role: role.kind):
        if role.wanted:
            code = role.stop()
            assert code == 0, f"{role.name} was told to stop and ended with {code}:\n{role.output[-3000:]}"


# -- what must hold ------------------------------------------------------------------------------


def check_all(outcome: Outcome) -> None:
    audit = outcome.audit
    outcome.figures.update(audit.figures)
    outcome.figures.update(worst_delays(outcome))
    report(outcome)
    audit.check_ranges()
    audit.check_tallies()
    audit.check_dead_letters()
    audit.check_failed_recipients()
    audit.check_buckets()
    audit.check_late()
    audit.check_sums()
    outcome.figures.update(audit.figures)
    report(outcome)
    check_incidents(outcome)
    check_exits(outcome.cluster)
    report(outcome)


def check_incidents(outcome: Outcome) -> None:
    """Each labelled incident was paged once and resolved once, and nothing else was."""
    paged = [i for i in incidents(outcome.audit.settings) if i.plain_key_used or i.critical_key_used]
    log = outcome.cluster.pager.log
    got = Counter((e.event["dedup_key"], e.effect) for e in log if e.effect)
    assert outcome.figures["settle_s"] < DRAIN_S, f"not every incident was resolved; the pager got {got}"
    found = Counter((i.rule, i.scope, i.carrier, i.region) for i in paged)
    wanted = Counter((x.rule, x.scope, x.carrier, x.region) for x in outcome.labels)
    assert found == wanted, f"incidents that paged: {found}; the pager got {got}"
    assert all(i.state is State.RESOLVED for i in paged)
    assert not [e.errors for e in log if e.errors]
    notified = Counter(e.event["dedup_key"] for e in log if e.notified)
    resolved = Counter(e.event["dedup_key"] for e in log if e.effect == "resolved")
    keys = Counter(i.key for i in paged)
    assert notified == keys
    assert resolved == keys
    outcome.figures["pages_repeated"] = sum(e.effect in ("repeated", "dropped") for e in log)
    for incident in paged:
        # A trigger whose owner died between the 202 and its record is sent again, or resolved at once.
        recorded = [(d.dedup_key, d.action) for d in incident.deliveries]
        assert recorded and recorded[-1] == (incident.key, "resolve"), f"{incident}"


def check_exits(cluster: Cluster) -> None:
    """A role that ends by itself says so with the code that asks for a new start."""
    for role in cluster.roles.values():
        assert set(role.exits) <= {STARTS_ANEW}, (
            f"{role.name} ended with {role.exits}:\n{role.output[-3000:]}"
        )


def worst_delays(outcome: Outcome) -> dict[str, float]:
    """Per kind of fault, in seconds: `delay_`, by how much a bucket was closed later than it could be,
    and `since_`, from the fault to the first bucket that came due after it.

    A fault counts from the start after it where nobody was left to take over, else from the kill. A
    bucket can be closed once its end and the lateness have passed, and the fault is over.
    """
    lateness_s = outcome.audit.settings.windows.allowed_lateness_s
    times = [(c.at_ms / 1000, c.record.bucket_s + BUCKET_S + lateness_s) for c in outcome.audit.closed]
    worst: dict[str, float] = {}
    for i, d in enumerate(outcome.done):
        begin = d.back_at if d.back_at and d.fault.both else d.killed_at
        until = outcome.done[i + 1].killed_at if i + 1 < len(outcome.done) else begin + LOOK_AHEAD_S
        touched = [(at, due) for at, due in times if begin <= at and due <= until]
        name = d.fault.kind + ("_both" if d.fault.both else "_for_good" if d.fault.for_good else "") + "_s"
        for at, due in touched:
            _raise(worst, f"delay_{name}", at - max(begin, due))
        for at, _ in [both for both in touched if both[1] > begin][:1]:
            _raise(worst, f"since_{name}", at - begin)
    return worst


def _raise(worst: dict[str, float], name: str, seconds: float) -> None:
    worst[name] = round(max(worst.get(name, 0.0), seconds), 2)


def report(outcome: Outcome) -> None:
    """Prints the figures, and appends them to the report that the environment names."""
    print({k: round(v, 2) for k, v in sorted(outcome.figures.items())})
    path = os.environ.get(REPORT)
    if path:
        Path(path).write_bytes(msgspec.json.encode(outcome.figures) + b"\n")
