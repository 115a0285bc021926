"""The Kafka of a cluster that is to be killed: one node, or several that each hold a copy of everything."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka.admin import AdminClient

from streams.embedded import EmbeddedKafka
from streams.embedded.kafka import QUICK_JVM
from streams.embedded.ports import free_port

READY_S = 180
"""After a kill a node looks through its logs first, which takes long where much was written."""


def make_brokers(count: int) -> list[EmbeddedKafka]:
    """`count` nodes of one cluster, each broker and controller; none is started."""
    if count == 1:
        return [EmbeddedKafka(jvm_options=("-Xmx1g", *QUICK_JVM[1:]), ready_timeout_s=READY_S)]
    ports: list[int] = []
    while len(ports) < 2 * count:
        port = free_port()
        if port not in ports:
            ports.append(port)
    pairs = list(zip(ports[::2], ports[1::2], strict=True))
    voters = ",".join(f"{id_}@127.0.0.1:{controller}" for id_, (_, controller) in enumerate(pairs, 1))
    return [
        EmbeddedKafka(
            port=port,
            controller_port=controller,
            settings={"node.id": str(id_), "controller.quorum.voters": voters, **_replicated(count)},
            ready_timeout_s=READY_S,
        )
        for id_, (port, controller) in enumerate(pairs, 1)
    ]


def _replicated(copies: int) -> dict[str, str]:
    """As a deployment has it: what is acknowledged is on most of the nodes."""
    internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    most = str(copies // 2 + 1)
    return {
        "min.insync.replicas": most,
        **{f"{topic}.replication.factor": str(copies) for topic in internal},
        **{f"{topic}.min.isr": most for topic in internal[1:]},
        # Kafka's own: nodes that share few cores with each other are not to be taken for dead.
        "broker.session.timeout.ms": "9000",
        "broker.heartbeat.interval.ms": "2000",
    }


def start_brokers(brokers: Sequence[EmbeddedKafka]) -> None:
    """All at once: none of several is ready before most of them are there."""
    with ThreadPoolExecutor(len(brokers)) as pool:
        list(pool.map(lambda broker: broker.start(), brokers))


def copies(bootstrap_servers: str) -> list[tuple[int, int]]:
    """Of each partition of each topic, Kafka's own too: how many nodes hold it, and how many are in sync."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    topics = admin.list_topics(timeout=10).topics.values()
    return [(len(p.replicas), len(p.isrs)) for topic in topics for p in topic.partitions.values()]
