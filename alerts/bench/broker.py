"""What the benchmark asks Kafka: ends, committed offsets, group states, and topics read as they grow."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from alerts.bench.errors import BenchFailed
from alerts.bench.traffic import Truth, Workload, batches
from streams.errors import Unreachable

_TIMEOUT_S = 10.0
PARTITION_BY_KEY = -1


class Broker:
    """One Kafka, asked synchronously. Raises Unreachable when it does not answer."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.address = bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})

    def ends(self, topic: str) -> dict[int, int]:
        """End offset of each partition."""
        consumer = self._consumer("carrier-health-bench-ends")
        try:
            found = consumer.list_topics(topic, _TIMEOUT_S).topics[topic].partitions
            return {
                p: consumer.get_watermark_offsets(TopicPartition(topic, p), _TIMEOUT_S)[1]
                for p in sorted(found)
            }
        except KafkaException as e:
            raise self._unreachable(f"asking for the ends of {topic}", e) from None
        finally:
            consumer.close()

    def offsets_of(self, group: str) -> Offsets:
        return Offsets(self._consumer(group))

    def tail(self, topic: str) -> Tail:
        consumer = self._consumer("carrier-health-bench-tail")
        consumer.assign([TopicPartition(topic, 0, 0)])
        return Tail(consumer)

    def joined(self, group: str) -> bool:
        """Whether the group has members that have their partitions."""
        try:
            found = self._admin.describe_consumer_groups([group])[group].result(_TIMEOUT_S)
        except (KafkaException, TimeoutError):
            return False  # not yet
        return bool(found.state == ConsumerGroupState.STABLE and found.members)

    def delete(self, topics: list[str], groups: list[str]) -> None:
        """Leaves nothing behind; what can not be deleted stays."""
        topics_gone = self._admin.delete_topics(topics, request_timeout=_TIMEOUT_S)
        groups_gone = self._admin.delete_consumer_groups(groups, request_timeout=_TIMEOUT_S)
        for future in [*topics_gone.values(), *groups_gone.values()]:
            with suppress(KafkaException, TimeoutError):  # it was never made, or Kafka has gone
                future.result(_TIMEOUT_S)

    def produce(
        self,
        topic: str,
        work: Workload,
        start_ms: int,
        progress: Callable[[int, int], None],
        partition: int = PARTITION_BY_KEY,
    ) -> Truth:
        """Writes the whole workload, keyed by message id, uncompressed, and counts what has arrived."""
        producer, truth = self.producer(), Truth()
        name = work.source.name
        for batch in batches(work, start_ms, truth):
            for key, value, ms in zip(*batch, strict=True):
                headers: Any = [("source", name), ("received_ms", str(ms))]
                while True:
                    try:
                        producer.produce(topic, value, key, partition, timestamp=ms, headers=headers)
                        break
                    except BufferError:
                        producer.poll(0.05)
            progress(truth.records, work.records)
        producer.flush(60.0)
        arrived = sum(self.ends(topic).values())
        if arrived != truth.records:
            raise BenchFailed(f"{truth.records} records were written to {topic}, {arrived} are there")
        return truth

    def producer(self) -> Producer:
        """As all traffic of the benchmarks is written."""
        return Producer(
            {
                "bootstrap.servers": self.address,
                "log_level": 0,
                "partitioner": "murmur2_random",
                "compression.type": "none",
                "enable.idempotence": True,
                "linger.ms": 20,
                "queue.buffering.max.messages": 200_000,
            }
        )

    def _consumer(self, group: str) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.address,
                "log_level": 0,
                "group.id": group,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
            }
        )

    def _unreachable(self, tried: str, e: KafkaException) -> Unreachable:
        return Unreachable("Kafka", self.address, f"{tried}: {e.args[0].str()}")


class Offsets:
    """The committed offsets of one group, which this never joins."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def of(self, topic: str, partitions: list[int]) -> dict[int, int]:
        """Partition -> committed offset; -1 where none is."""
        try:
            found = self._consumer.committed([TopicPartition(topic, p) for p in partitions], _TIMEOUT_S)
        except KafkaException:
            time.sleep(0.1)  # the coordinator is not there yet
            return dict.fromkeys(partitions, -1)
        return {tp.partition: max(tp.offset, -1) for tp in found}

    def close(self) -> None:
        self._consumer.close()


class Tail:
    """A topic of one partition, committed records only, from its beginning on."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def next(self, wait_s: float) -> list[tuple[int, bytes]]:
        """(offset, value) of what has come since the last call."""
        found: list[Any] = self._consumer.consume(500, wait_s)
        return [(m.offset(), m.value()) for m in found if m.error() is None]

    def close(self) -> None:
        self._consumer.close()
