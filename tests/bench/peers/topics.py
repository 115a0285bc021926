"""The race's topics: made, written once a job, polled while a peer works, read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from tests.bench.peers.outcomes import PARTITIONS, Buckets, Job, batches, ticks

_TIMEOUT_S = 30.0
_QUIET = {"log_level": 0}


class Topics:
    """One Kafka, asked synchronously."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.address = bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers, **_QUIET})

    def make(self, name: str, partitions: int) -> None:
        for future in self._admin.create_topics([NewTopic(name, partitions, 1)]).values():
            future.result(_TIMEOUT_S)

    def drop_all_but(self, kept: set[str]) -> None:
        """Gives the disk back: everything that a peer has made."""
        names = self._admin.list_topics(timeout=_TIMEOUT_S).topics
        gone = [n for n in names if n not in kept and not n.startswith("__")]
        for future in (self._admin.delete_topics(gone) if gone else {}).values():
            future.result(_TIMEOUT_S)

    def write(self, topic: str, job: Job, start_ms: int, progress: Callable[[int, int], None]) -> Buckets:
        """The whole job. Raises RuntimeError when not all of it arrives."""
        buckets, done = Buckets.of(job, start_ms), 0
        producer = Producer(self._producer())
        for batch in batches(job, start_ms, buckets):
            for key, value, at_ms in zip(*batch, strict=True):
                _produce(producer, topic, key, value, at_ms)
            done += len(batch.keys)
            progress(done, job.outcomes)
        producer.flush(_TIMEOUT_S)
        if self.end(topic) != job.outcomes:
            raise RuntimeError(f"{job.outcomes} were written to {topic}, {self.end(topic)} are there")
        return buckets

    def tick(self, topic: str, job: Job, start_ms: int, grace_s: int) -> None:
        """Lets the windows of all that was written pass, for whoever waits `grace_s` longer."""
        producer = Producer(self._producer())
        for partition in range(PARTITIONS):
            for key, value, at_ms in ticks(job, start_ms, grace_s):
                _produce(producer, topic, key, value, at_ms, partition)
        producer.flush(_TIMEOUT_S)

    def end(self, topic: str) -> int:
        """Sum of the end offsets."""
        partitions = self._admin.list_topics(topic, _TIMEOUT_S).topics[topic].partitions
        asked = {TopicPartition(topic, p): OffsetSpec.latest() for p in partitions}
        return sum(f.result(_TIMEOUT_S).offset for f in self._admin.list_offsets(asked).values())

    def behind(self, group: Consumer, outcomes: str, counts: str) -> int | None:
        """Records that a group has not committed, of the outcomes and of what it has dealt anew by key (its
        topics bear the name of `counts`); None until it has begun."""
        names = self._admin.list_topics(timeout=_TIMEOUT_S).topics
        dealt = [n for n in names if f"{counts}-" in n and "changelog" not in n]
        asked = [TopicPartition(n, p) for n in (outcomes, *dealt) for p in names[n].partitions]
        try:
            committed = group.committed(asked, _TIMEOUT_S)
        except KafkaException:
            return None  # its coordinator is not there yet
        if any(tp.offset < 0 for tp in committed if tp.topic == outcomes):
            return None
        return sum(map(self.end, (outcomes, *dealt))) - sum(max(tp.offset, 0) for tp in committed)

    def group(self, name: str) -> Consumer:
        """For `behind`: asks for what is committed, and never joins."""
        return Consumer({"bootstrap.servers": self.address, "group.id": name, **_QUIET})

    def values(self, topic: str) -> Iterator[bytes]:
        """Every committed value of a topic of one partition, in order."""
        end, consumer = self.end(topic), self._consumer()
        consumer.assign([TopicPartition(topic, 0, 0)])
        try:
            at = 0
            while at < end:
                for message in consumer.consume(10_000, 0.5):
                    if not message.error():
                        yield message.value()
                at = consumer.position([TopicPartition(topic, 0)])[0].offset
        finally:
            consumer.close()

    def _producer(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self.address,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 20,
            "queue.buffering.max.messages": 200_000,
            **_QUIET,
        }

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": "race",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.queue.backoff.ms": 5,
                **_QUIET,
            }
        )


def _produce(
    producer: Producer, topic: str, key: str, value: str, at_ms: int, partition: int | None = None
) -> None:
    """With the headers that the gateway writes; the peers need none."""
    headers: Any = [("source", "peers"), ("received_ms", str(at_ms))]
    where = {} if partition is None else {"partition": partition}
    while True:
        try:
            producer.produce(topic, value, key, timestamp=at_ms, headers=headers, **where)
            return
        except BufferError:
            producer.poll(0.05)
