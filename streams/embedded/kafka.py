"""Apache Kafka in KRaft mode: one node that is broker and controller, on 127.0.0.1 only."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.embedded.binaries import java
from streams.embedded.broker_settings import broker_settings, write_properties
from streams.embedded.cache import cache_dir
from streams.embedded.formatting import format_store
from streams.embedded.jars import kafka_home, kafka_jars
from streams.embedded.ports import free_port
from streams.embedded.process import EmbeddedServer
from streams.embedded.secure import Secure, secure_settings

KAFKA_VERSION = "4.3.1"

# With the quick compiler and the plain collector the node is up in 2 s instead of 3.4 s, and leaves the
# cores to the tests. For a load test pass the options that production would have.
QUICK_JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

_LOG_FORMAT = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)
_PROBE_TIMEOUT_S = 0.5


class EmbeddedKafka(EmbeddedServer):
    """A Kafka of our own; see EmbeddedServer for its life cycle.

    `settings` are broker settings over ours, and win. Without `data_dir` the data goes to a temporary
    directory that `close` removes. Ports are chosen once, so that a restart is on the same ones. With
    `secure` it has listeners that ask who one is, and ACLs.
    """

    name = "kafka"

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int | None = None,
        controller_port: int | None = None,
        keep_data: bool | None = None,
        settings: Mapping[str, str] | None = None,
        secure: Secure | None = None,
        version: str = KAFKA_VERSION,
        jvm_options: Sequence[str] = QUICK_JVM,
        cache: Path | None = None,
        ready_timeout_s: float = 60.0,
        stop_grace_s: float = 20.0,
    ) -> None:
        super().__init__(data_dir, keep_data, ready_timeout_s, stop_grace_s)
        self.port = port or free_port()
        self.controller_port = controller_port or free_port(other_than=self.port)
        self.version = version
        self.secure = secure
        asking = secure_settings(secure, self.port, self.controller_port) if secure else {}
        self._settings = {**asking, **(settings or {})}
        self._jvm_options = tuple(jvm_options)
        self._cache = cache_dir(cache)

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, as clients want it."""
        return f"127.0.0.1:{self.port}"

    def _ports(self) -> Sequence[int]:
        more = (self.secure.sasl_port, self.secure.mtls_port) if self.secure else ()
        return self.port, self.controller_port, *more

    def _command(self, store: Path) -> Sequence[str]:
        class_path = os.pathsep.join(map(str, kafka_jars(self._cache, self.version)))
        settings = broker_settings(self.port, self.controller_port, store, self._settings)
        format_store(store, kafka_home(self._cache, self.version), settings, class_path)
        properties = self.data_dir / "server.properties"
        write_properties(settings, properties)
        jvm = [str(java()), *self._jvm_options, *_LOG_FORMAT, "-cp", class_path]
        return [*jvm, "kafka.Kafka", str(properties)]

    def _answers(self) -> bool:
        """Metadata that name a broker: the port opens earlier, but is answered only by a node that serves."""
        # A new client for each look: one that was refused would wait before it connects again.
        probe = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        try:
            return bool(probe.list_topics(timeout=_PROBE_TIMEOUT_S).brokers)
        except KafkaException:
            return False
