"""Whatever is written into `outcomes`, ingest goes on, and nothing of it is lost or changed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest
from confluent_kafka import Message, Producer

from streams.records import Partial
from streams.settings import Source
from tests.faults.audit import read_all
from tests.faults.cluster import Cluster, wait_for

SOURCE = Source(name="router", format="canonical", codes="twilio")
GOOD = b'{"message_id":"%s","status":"delivered","provider_time_ms":%d}'

BAD: dict[str, tuple[str, bytes, bytes | None]] = {
    "not JSON": ("not_json", b"router", b"<html>502 Bad Gateway</html>"),
    "cut off": ("not_json", b"router", b'{"message_id":"m-1","status":"deliv'),
    "not an object": ("wrong_type", b"router", b"[1,2,3]"),
    "wrong types": (
        "wrong_type",
        b"router",
        b'{"message_id":17,"status":["delivered"],"provider_time_ms":1}',
    ),
    "a time that is none": (
        "bad_time",
        b"router",
        b'{"message_id":"m-6","status":"delivered","provider_time_ms":"x"}',
    ),
    "no time": ("missing_time", b"router", b'{"message_id":"m-2","status":"delivered"}'),
    "no id": ("missing_field", b"router", b'{"status":"delivered","provider_time_ms":1}'),
    "no such status": ("bad_status", b"router", b'{"message_id":"m-3","status":"x","provider_time_ms":1}'),
    "invalid UTF-8": (
        "not_utf8",
        b"router",
        b'{"message_id":"\xff\xfe","status":"delivered","provider_time_ms":1}',
    ),
    "unknown source": ("unknown_source", b"nobody", b'{"message_id":"m-4","status":"delivered"}'),
    "no source": ("unknown_source", b"", b'{"message_id":"m-5","status":"delivered"}'),
    "empty": ("empty", b"router", b""),
    "tombstone": ("empty", b"router", None),
    "10 MB": ("too_large", b"router", b'{"message_id":"' + b"x" * 10_000_000 + b'"}'),
    "deeply nested": ("not_json", b"router", b"[" * 100_000),
}


class Seen:
    """What one running ingest made of all of it."""

    def __init__(self, cluster: Cluster, offsets: dict[str, tuple[int, int]]) -> None:
        self.offsets = offsets
        self.letters = {
            (int(_header(m, "source_partition")), int(_header(m, "source_offset"))): m
            for m in read_all(cluster.settings, "dead-letters")
        }
        self.tallies: Counter[tuple[str, str]] = Counter()
        for message in read_all(cluster.settings, "partials"):
            for r in msgspec.json.decode(message.value(), type=Partial).ranges:
                for source, results in r.tally.items():
                    self.tallies.update({(source, result): n for result, n in results.items()})
        self.exits = cluster.roles["ingest-a"].exits


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with Cluster(tmp_path_factory.mktemp("bad-input"), [SOURCE]) as cluster:
        cluster.start_servers({"outcomes": 4})
        ingest = cluster.role("ingest", "a")
        ingest.start()
        cluster.wait_ready([ingest])
        offsets = _write_all(cluster)
        wait_for(
            lambda: len(read_all(cluster.settings, "dead-letters")) >= len(BAD),
            "dead letters",
            60,
            cluster.tend,
        )
        _write_good(cluster, "after")
        wait_for(
            lambda: Seen(cluster, {}).tallies["router", "counted"] >= 2, "the good records", 60, cluster.tend
        )
        yield Seen(cluster, offsets)


def _producer(cluster: Cluster) -> Producer:
    return Producer(
        {
            "bootstrap.servers": cluster.kafka.bootstrap_servers,
            "message.max.bytes": 12_000_000,
            "linger.ms": 0,
        }
    )


def _write_all(cluster: Cluster) -> dict[str, tuple[int, int]]:
    """One good record, then every bad one; returns where each of these came to lie."""
    _write_good(cluster, "before")
    places: dict[str, tuple[int, int]] = {}
    producer, topic = _producer(cluster), cluster.settings.topic("outcomes")
    for i, (name, (_, source, value)) in enumerate(BAD.items()):

        def note(error: object, message: Message, name: str = name) -> None:
            assert error is None, error
            places[name] = (message.partition(), message.offset())

        headers = [("source", source), ("received_ms", b"%d" % (time.time() * 1000))] if source else []
        producer.produce(topic, value, b"key-%d" % i, i % 4, on_delivery=note, headers=headers)
    assert producer.flush(60) == 0
    return places


def _write_good(cluster: Cluster, name: str) -> None:
    now_ms = int(time.time() * 1000)
    producer = _producer(cluster)
    headers = [("source", b"router"), ("received_ms", b"%d" % now_ms)]
    producer.produce(
        cluster.settings.topic("outcomes"), GOOD % (name.encode(), now_ms), name.encode(), headers=headers
    )
    assert producer.flush(30) == 0


def _header(message: Message, name: str) -> bytes:
    return dict(message.headers() or [])[name]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_becomes_a_dead_letter_as_it_came(seen: Seen, name: str) -> None:
    reason, source, value = BAD[name]
    letter = seen.letters[seen.offsets[name]]
    assert letter.value() == value
    assert letter.key() == b"key-%d" % list(BAD).index(name)
    assert _header(letter, "reason").decode() == reason
    assert _header(letter, "source_topic") == b"carrier-health.outcomes"
    assert _header(letter, "detail")
    if source:
        assert _header(letter, "source") == source


def test_each_is_tallied_and_what_is_good_is_counted(seen: Seen) -> None:
    by_result = Counter[str]()
    for (_, result), n in seen.tallies.items():
        by_result[result] += n
    assert by_result == {"malformed": len(BAD), "counted": 2}


def test_ingest_never_stopped(seen: Seen) -> None:
    assert seen.exits == []
