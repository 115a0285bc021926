"""The whole way of what a provider posts: a signed request, Kafka, ingest, a count in a partial."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from alerts.settings import Settings, load
from streams.embedded import EmbeddedKafka
from streams.records import Partial, SeriesKey
from tests.faults.audit import read_all
from tests.faults.cluster import Role, wait_for
from tests.integration.gateway import GatewayProcess, Post, callback, events, make_topics
from tests.integration.gateway import post as send

WITHIN_S = 90.0
BAD: dict[str, Any] = {"data": {"messageSid": "SM-bad", "to": "+12025550123"}}


def event(sid: str, status: str, **data: Any) -> dict[str, Any]:
    said = {"messageSid": sid, "messageStatus": status, "timestamp": "2026-07-17T12:06:00Z", **data}
    return {"specversion": "1.0", "id": f"EZ-{sid}", "data": said}


class Way:
    """A gateway and an ingest on topics of their own."""

    def __init__(self, gateway: GatewayProcess, config: Path, kafka: EmbeddedKafka) -> None:
        self.gateway, self.kafka = gateway, kafka
        self.settings: Settings = load(config, {})

    def post(self, post: Post) -> int:
        return send(self.gateway, post)

    def bridge(self, value: bytes) -> None:
        """As somebody's own bridge writes it: the whole array as one record."""
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap_servers})
        producer.produce(self.settings.topic("outcomes"), value, "b", headers=[("source", b"events")])
        assert producer.flush(30) == 0

    def partials(self) -> list[Partial]:
        return [msgspec.json.decode(m.value(), type=Partial) for m in read_all(self.settings, "partials")]

    def tallies(self) -> Counter[tuple[str, str]]:
        counts: Counter[tuple[str, str]] = Counter()
        for partial in self.partials():
            for r in partial.ranges:
                counts.update({(s, result): n for s, of in r.tally.items() for result, n in of.items()})
        return counts

    def finals(self) -> Counter[SeriesKey]:
        counts: Counter[SeriesKey] = Counter()
        for cells in (partial.cells for partial in self.partials()):
            for key, n in zip(cells.key, cells.finals, strict=True):
                counts[cells.keys[key]] += n
        return +counts

    def letters(self) -> dict[bytes, bytes]:
        """Bytes of each dead letter, and the partition it came from."""
        found = read_all(self.settings, "dead-letters")
        return {m.value(): dict(m.headers())["source_partition"] for m in found}


@pytest.fixture
def way(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Way]:
    make_topics(kafka.bootstrap_servers, topic_prefix)
    with GatewayProcess(tmp_path, kafka.bootstrap_servers, topic_prefix) as gateway:
        config = tmp_path / "ingest.toml"
        config.write_text(f'{gateway.config.read_text()}\n[ingest]\ngroup = "{topic_prefix}ingest"\n')
        ingest = Role("ingest", "way", config, tmp_path)
        ingest.start()
        yield Way(gateway, config, kafka)
        ingest.kill()


def test_a_signed_callback_becomes_a_count_once_however_often_it_is_told(way: Way) -> None:
    query = "?carrier=310-260&region=US-CA"
    told = callback("SM-1", query)
    again = told._replace(headers={**told.headers, "I-Twilio-Idempotency-Token": "another"})
    assert [
        way.post(told),
        way.post(again),
        way.post(callback("SM-2", query, To="x")._replace(body=b"a=b")),
    ] == [
        204,
        204,
        403,
    ]
    batch = [event("SM-1", "UNDELIVERED", errorCode=30003), event("SM-2", "DELIVERED"), BAD]
    assert way.post(events(batch)) == 400
    way.bridge(json.dumps([event("SM-3", "DELIVERED"), BAD | {"id": "EZ-b"}]).encode())

    expected = {
        ("twilio", "counted"): 1,
        ("twilio", "duplicate"): 1,
        ("events", "duplicate"): 1,  # the event of the callback's message
        ("events", "counted"): 2,
        ("events", "malformed"): 1,
    }
    wait_for(lambda: sum(way.tallies().values()) >= sum(expected.values()), "all are taken", WITHIN_S)
    assert way.tallies() == expected
    failed = SeriesKey("twilio", "310-260", "US-CA", "absent_subscriber", "30003")
    delivered = SeriesKey("events", "unknown", "unknown", "delivered", "")
    assert way.finals() == {failed: 1, delivered: 2}

    ranges = [r for partial in way.partials() for r in partial.ranges]
    assert sum(r.split for r in ranges) == 1, "one record held two outcomes"
    for r in ranges:
        assert sum(sum(of.values()) for of in r.tally.values()) == r.end - r.start + r.split
    bridged = json.dumps(BAD | {"id": "EZ-b"}).encode()
    letters = way.letters()
    assert letters.keys() == {json.dumps(BAD).encode(), bridged}, "the bad pieces alone"
    assert letters[json.dumps(BAD).encode()] == b"-1" and letters[bridged] != b"-1"
