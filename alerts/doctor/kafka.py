"""Kafka: version, brokers, topics with their settings, transactions.

Brokers tell nobody their clock, so that one is compared with the other services alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaException, Producer

from alerts.doctor.finding import Finding, fail, ok, warn
from alerts.settings import Settings
from streams.errors import MonitorError
from streams.kafka_access import librdkafka
from streams.topic_admin import Difference, TopicAdmin

OLDEST_KAFKA = (2, 5)
_TRANSACTION_S = 15.0
UNREACHED = (
    "check kafka.bootstrap_servers, that the broker runs, the network, rights, and that it speaks "
    "kafka.security_protocol"
)


def check_kafka(settings: Settings) -> Iterator[Finding]:
    address = settings.kafka.bootstrap_servers
    try:
        with TopicAdmin(settings) as admin:
            yield _kafka_version(address, admin.version)
            yield _replication(settings, admin.brokers)
            found = admin.differences()
            yield from check_topics(settings, found)
            yield from check_rights(found)
            yield from _retired(admin.retired())
        yield from check_transactions(settings)
    except MonitorError as e:
        yield fail("kafka", str(e), UNREACHED)


def _kafka_version(address: str, version: tuple[int, ...]) -> Finding:
    words = ".".join(map(str, version))
    if version < OLDEST_KAFKA:
        return fail(
            "kafka", f"{address} is version {words}", "2.5 or newer is needed for transactions by group"
        )
    return ok("kafka", f"{address} answers, version {words} or newer")


def _replication(settings: Settings, brokers: int) -> Finding:
    wanted = settings.kafka.replication_factor
    if wanted > brokers:
        return fail(
            "kafka",
            f"kafka.replication_factor = {wanted}, but there are {brokers} brokers",
            f"set it to {brokers} or less, or add brokers",
        )
    if wanted == 1:
        return warn(
            "kafka", "kafka.replication_factor = 1: one lost disk loses counts", "use 3 in production"
        )
    return ok("kafka", f"{brokers} brokers for kafka.replication_factor = {wanted}")


def check_topics(settings: Settings, found: Iterable[Difference]) -> Iterator[Finding]:
    topics = list(found)
    for d in topics:
        if d.too_many:
            yield fail(
                "topics", f"{d.name} {d.verdict}", "stop, delete it, run `carrier-health topics --apply`"
            )
        elif not d.ok:
            yield fail("topics", f"{d.name}: {d.verdict}", "run `carrier-health topics --apply`")
        elif 0 < d.replicas < settings.kafka.replication_factor:
            yield warn(
                "topics",
                f"{d.name} has {d.replicas} replicas, kafka.replication_factor = "
                f"{settings.kafka.replication_factor}",
                "reassign its partitions with Kafka's own tools",
            )
    right = sum(d.ok for d in topics)
    if right == len(topics):
        yield ok(
            "topics", f"all {right} exist with partitions, retention and max.message.bytes as they should"
        )


def check_rights(found: Iterable[Difference]) -> Iterator[Finding]:
    """A role of its own needs less than both: docs/topics.md says which needs what."""
    said = [d for d in found if d.rights is not None]
    for d in said:
        lacking = {"READ", "WRITE"} - (d.rights or set())
        if lacking:
            what = f"this user may not {' and '.join(sorted(lacking))} {d.name}"
            yield warn(
                "rights", what, "compare with what its role needs, docs/topics.md; grant with kafka-acls"
            )
    if said and all({"READ", "WRITE"} <= (d.rights or set()) for d in said):
        yield ok("rights", f"this user may read and write the {len(said)} topics that exist")


def _retired(names: list[str]) -> Iterator[Finding]:
    for name in names:
        yield fail(
            "topics",
            f"{name} is still counted on, but no source is bound to it: it holds every window",
            "bind a source to it, or run `carrier-health topics --apply` to retire it",
        )


def check_transactions(settings: Settings) -> Iterator[Finding]:
    """Begins one under the id of ingest, with `-doctor` at its end, and gives it up: nothing is written."""
    name = f"{settings.ingest.group}-doctor"
    producer = Producer(
        {
            **librdkafka(settings),
            "transactional.id": name,
            "log_level": 0,
            "transaction.timeout.ms": 10_000,
        }
    )
    try:
        producer.init_transactions(_TRANSACTION_S)
        producer.begin_transaction()
        producer.abort_transaction(_TRANSACTION_S)
    except KafkaException as e:
        todo = f"allow Write and Describe on transactional ids beginning with '{settings.ingest.group}'; "
        todo += "a new broker may also still be making __transaction_state"
        yield fail("kafka", f"transactions do not work: {e.args[0].str()}", todo)
    else:
        yield ok("kafka", "transactions work")
