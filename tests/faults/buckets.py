"""The topic `windows`, written as if windows had closed the buckets of a network with one incident."""

from __future__ import annotations

from confluent_kafka import Producer

from alerts.settings import Settings
from streams.records import BUCKET_S
from tests.alerts.test_station import closed
from tests.alerts.traffic import RULE, START_S, Fault, Network, names

ILL_FROM_S, ILL_UNTIL_S, END_S = 300, 420, 720
NETWORK = Network(
    seed=5,
    carriers=names("c", 4),
    regions=names("r", 3),
    rate=60.0,
    faults=(Fault(ILL_FROM_S, ILL_UNTIL_S, 0.4, carrier="c1"),),
)


class Log:
    """`base_s`: when the first bucket begins, epoch seconds."""

    def __init__(
        self, settings: Settings, base_s: int, network: Network = NETWORK, seconds: int = END_S
    ) -> None:
        self._buckets = network.buckets(seconds)
        self._shift_s, self._through = base_s - START_S, 0
        self._topic = settings.topic("windows")
        # It says each second that its broker is away, which is the point of one cell.
        self._producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "log_level": 0})
        self._at_s = 0

    def until(self, end_s: int) -> None:
        """Writes on, up to `end_s` seconds after the beginning."""
        while self._at_s < end_s:
            bucket_s, counts = next(self._buckets)
            value = closed(bucket_s + self._shift_s, counts[RULE], self._through)
            self._producer.produce(self._topic, value, str(bucket_s).encode())
            self._through += 1
            self._at_s += BUCKET_S
        assert self._producer.flush(30) == 0
