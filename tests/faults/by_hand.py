"""A few records written by hand, how many of them committed partials have, and what is done to a broker."""

from __future__ import annotations

import resource
import time
from collections import Counter

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from streams.records import Partial
from streams.settings import Source
from streams.topics import OUTCOMES, PARTIALS, WINDOWS
from tests.faults.audit import closed_buckets, read_all
from tests.faults.cluster import Cluster, Role, wait_for

SOURCE = Source(name="router", format="canonical", codes="twilio")


def send(cluster: Cluster, name: str, records: int) -> Producer:
    """Gives so many delivered records, as of now, to a producer that has them until it is flushed; a record
    that Kafka took twice would still be one."""
    producer = Producer(
        {
            "bootstrap.servers": cluster.settings.kafka.bootstrap_servers,
            "log_level": 0,
            "enable.idempotence": True,
        }
    )
    now_ms = time.time_ns() // 1_000_000
    for number in range(records):
        id = f"{name}-{number}"
        value = f'{{"message_id":"{id}","status":"delivered","carrier":"c","region":"US",'
        value += f'"provider_time_ms":{now_ms}}}'
        headers = {"source": SOURCE.name, "received_ms": str(now_ms)}
        producer.produce(cluster.settings.topic(OUTCOMES), value, id, headers=headers)
    return producer


def write(cluster: Cluster, name: str, records: int) -> None:
    """The same, and all of it is in Kafka."""
    assert send(cluster, name, records).flush(60) == 0


def tallied(cluster: Cluster) -> Counter[str]:
    """Results of the records, as committed partials have them; all pieces of a flush carry the same."""
    total = Counter[str]()
    for message in read_all(cluster.settings, PARTIALS):
        partial = msgspec.json.decode(message.value() or b"", type=Partial)
        if partial.part == partial.parts:
            for r in partial.ranges:
                total.update(r.tally.get(SOURCE.name, {}))
    return total


def newest_bucket_s(cluster: Cluster) -> int:
    """Start of the newest bucket that is closed, epoch seconds; 0 before the first."""
    return max((c.record.bucket_s for c in closed_buckets(read_all(cluster.settings, WINDOWS))), default=0)


def closes_on(cluster: Cluster, within_s: float) -> None:
    """Waits until a bucket that begins after now is closed, by canaries if by nothing else."""
    now_s = time.time()
    wait_for(lambda: newest_bucket_s(cluster) > now_s, "buckets are closed", within_s, cluster.tend, 1.0)


def fill_disk(cluster: Cluster) -> None:
    """From now on no file of the running broker can grow, which halts it."""
    pid = cluster.kafka.pid
    assert pid is not None
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))


def delete(cluster: Cluster, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.settings.kafka.bootstrap_servers})
    admin.delete_topics([topic])[topic].result(10)


def names(role: Role, topic: str) -> bool:
    """Whether the role says that it waits for this topic."""
    return any(
        f"no topic {topic}: run `carrier-health topics --apply`" in reason for reason in role.reasons()
    )
