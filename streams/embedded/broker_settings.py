"""The settings of a Kafka that is one node, starts fast, and serves tests."""

from collections.abc import Mapping
from pathlib import Path

_LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024

_ONE_NODE: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    # One node cannot replicate.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Fewer partitions to create when the first group or the first transaction comes.
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.num.partitions": "4",
    # Tests wait for rebalances, for expired sessions and for abandoned transactions.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # After a SIGKILL the controller lets the node register again only when its old session has expired.
    # With the default of 9 s a restart takes 12 s, with this one 4 s.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "message.max.bytes": str(_LARGEST_MESSAGE_BYTES),
    "replica.fetch.max.bytes": str(_LARGEST_MESSAGE_BYTES),
    # The default of 128 MiB is a quarter of our heap.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}


def broker_settings(port: int, controller_port: int, store: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """All settings of the node; `extra` wins over ours."""
    addresses = {
        "listeners": f"BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"BROKER://127.0.0.1:{port}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "log.dirs": str(store),
    }
    return {**_ONE_NODE, **addresses, **extra}


def write_properties(settings: Mapping[str, str], to: Path) -> None:
    """Writes a Java properties file; a backslash would start an escape there, so it is doubled."""
    lines = [f"{key}={value}".replace("\\", "\\\\") for key, value in settings.items()]
    to.write_text("\n".join(lines) + "\n", encoding="utf-8")
