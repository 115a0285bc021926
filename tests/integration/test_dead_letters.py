"""Dead letters on a real Kafka: seen, re-driven once, counted when they were received; and the poison
limit that keeps a bad deploy from making too many of them."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Message, Producer
from kafka.partitioner.default import murmur2

from alerts.cli.dead_letters import dead_letters
from alerts.settings import Settings, load
from streams.embedded import EmbeddedKafka
from streams.letters import Letter, LetterLog, Wanted
from streams.records import Partial
from streams.topic_admin import TopicAdmin
from tests.faults.audit import read_all
from tests.faults.cluster import Role, wait_for

EAST = '[[sources]]\nname = "smpp-east"\nformat = "smpp-receipt"\n'
TWILIO = "twilio-status-callback"
RECEIPT = b"id:%d sub:001 dlvrd:000 stat:UNDELIV err:001 dest:12025550123"
FAILING = b"MessageSid=SM1&MessageStatus=&To=%2B12025550123"
WITHIN_S = 90.0


class Site:
    """Topics of its own on the shared Kafka, two configurations, and an ingest at a time."""

    def __init__(self, kafka: EmbeddedKafka, prefix: str, directory: Path) -> None:
        self.directory, self.prefix, self.kafka = directory, prefix, kafka
        self.roles: list[Role] = []
        self.config = self.write("before")
        self.mended = self.write("mended", EAST)
        with TopicAdmin(self.settings) as admin:
            admin.apply()

    def write(
        self, name: str, more: str = "", ingest: str = "", form: str = "twilio-status-callback"
    ) -> Path:
        path = self.directory / f"{name}.toml"
        path.write_text(f"""
            [kafka]
            bootstrap_servers = "{self.kafka.bootstrap_servers}"
            topic_prefix = "{self.prefix}"
            replication_factor = 1
            [privacy]
            recipient_key = "0123456789abcdef0123456789abcdef"
            [ingest]
            group = "{self.prefix}ingest"
            {ingest}
            [[sources]]
            name = "twilio"
            format = "{form}"
            {more}""")
        return path

    @property
    def settings(self) -> Settings:
        return load(self.config, {})

    def ingest(self, config: Path) -> Role:
        role = Role("ingest", f"of-{config.stem}-{len(self.roles)}", config, self.directory)
        self.roles.append(role)
        role.start()
        return role

    def stop(self) -> None:
        for role in self.roles:
            role.kill()

    def produce(self, topic: str, *records: dict[str, Any]) -> None:
        """Records as keywords of `Producer.produce`."""
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap_servers})
        for record in records:
            producer.produce(self.settings.topic(topic), **record)
        assert producer.flush(30) == 0

    def letters(self) -> list[Message]:
        found = read_all(self.settings, "dead-letters")
        return [m for m in found if "reason" in dict(m.headers() or [])]

    def tallies(self) -> Counter[tuple[str, str]]:
        counts: Counter[tuple[str, str]] = Counter()
        for partial in self.partials():
            for r in partial.ranges:
                for source, results in r.tally.items():
                    counts.update({(source, result): n for result, n in results.items()})
        return counts

    def partials(self) -> list[Partial]:
        return [msgspec.json.decode(m.value(), type=Partial) for m in read_all(self.settings, "partials")]

    def run(self, *args: str, config: Path | None = None) -> Result:
        return CliRunner().invoke(
            dead_letters, [*args, "--config", str(config or self.config)], catch_exceptions=False
        )

    def until(self, holds: Callable[[], bool], what: str) -> None:
        wait_for(holds, what, WITHIN_S)


@pytest.fixture
def site(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Site]:
    site = Site(kafka, topic_prefix, tmp_path)
    yield site
    site.stop()


def test_what_could_not_be_read_is_counted_at_its_time_once_the_cause_is_mended(site: Site) -> None:
    at_ms = int(time.time() * 1000) - 30_000
    stamp = str(at_ms).encode()
    east = [("source", b"smpp-east"), ("received_ms", stamp), ("tenant", b"a")]
    site.produce(
        "outcomes",
        {"value": RECEIPT % 1, "key": b"k-1", "partition": 7, "headers": east},
        {"value": RECEIPT % 2, "key": b"k-2", "headers": [("source", b"smpp-east")], "timestamp": at_ms},
        {"value": FAILING, "key": b"SM1", "headers": [("source", b"twilio"), ("received_ms", stamp)]},
    )
    first = site.ingest(site.config)
    site.until(lambda: len(site.letters()) == 3, "the letters")
    assert first.stop() == 0

    seen_before_mending(site)
    assert "0  would be re-driven" in site.run("redrive", "--dry-run").stdout

    planned = site.run("redrive", "--dry-run", config=site.mended)
    assert "2  would be re-driven" in planned.stdout
    assert "1  can still not be read: missing_field" in planned.stdout
    assert len(read_all(site.settings, "outcomes")) == 3, "a dry run writes nothing"

    # Re-driven while ingest does not know the source yet: they fail again, and say so.
    assert "2 re-driven" in site.run("redrive", "--yes", config=site.mended).stdout
    again = site.run("redrive", "--yes", config=site.mended)
    assert "0  to be re-driven" in again.stdout and "2  already re-driven" in again.stdout
    second = site.ingest(site.config)
    site.until(lambda: len(site.letters()) == 5, "two letters again")
    assert second.stop() == 0
    failed_again(site)

    asked = CliRunner().invoke(dead_letters, ["redrive", "--config", str(site.mended)], input="n\n")
    assert asked.exit_code == 1 and "Re-drive 2?" in asked.output
    assert "2 re-driven" in site.run("redrive", "--yes", "--source", "smpp-east", config=site.mended).stdout
    site.ingest(site.mended)
    site.until(lambda: site.tallies()["smpp-east", "counted"] == 2, "both are counted")
    counted_when_received(site, at_ms)


def told(site: Site, *args: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in site.run("list", "--json", *args).stdout.splitlines()]


def seen_before_mending(site: Site) -> None:
    table = site.run("list").stdout.splitlines()
    assert [line.split()[:4] for line in table[1:]] == [
        ["missing_field", "twilio", "1", "0"],
        ["unknown_source", "smpp-east", "2", "0"],
    ]
    counts = [
        json.loads(line)
        for line in site.run("list", "--json", "--reason", "missing_field").stdout.splitlines()
    ]
    assert [(c["source"], c["letters"], c["redriven"]) for c in counts] == [("twilio", 1, 0)]
    each = told(site, "--each")
    (east,) = [e for e in each if e["partition"] == "7"]
    assert (east["reason"], east["attempts"], east["redriven_ms"]) == ("unknown_source", 0, None)
    hour_ago = str(int(time.time() * 1000) - 3_600_000)
    assert site.run("list", "--each", "--until", hour_ago).stdout == ""
    assert len(site.run("list", "--each", "--since", hour_ago).stdout.splitlines()) == 3

    shown = site.run("show", east["id"])
    assert "id:1 " in shown.stdout and "+" not in shown.stdout.split("bytes:")[1]
    everything = site.run("show").stdout
    assert "2025550123" not in everything and everything.count("1202•••0123") == 3
    clear = site.run("show", "--last", "1", "--reason", "missing_field", "--clear")
    assert FAILING.decode() in clear.stdout and "in clear" in clear.stderr
    assert site.run("show", "0-999999").exit_code == 1


def failed_again(site: Site) -> None:
    each = told(site, "--each")
    assert Counter((e["source"], e["attempts"], bool(e["redriven_ms"])) for e in each) == {
        ("smpp-east", 0, True): 2,
        ("smpp-east", 1, False): 2,
        ("twilio", 0, False): 1,
    }
    ids = {e["id"] for e in each if not e["attempts"]}
    came_from = {
        dict(m.headers())["redriven_from"].decode() for m in site.letters() if _has(m, "redriven_from")
    }
    assert came_from < ids


def counted_when_received(site: Site, at_ms: int) -> None:
    buckets = Counter[int]()
    for partial in site.partials():
        cells = partial.cells
        buckets.update(dict(zip(cells.bucket_s, cells.finals, strict=True)))
    assert +buckets == {at_ms // 10_000 * 10: 2}
    back = [m for m in read_all(site.settings, "outcomes") if _has(m, "redriven_from")]
    assert Counter((m.key(), m.value()) for m in back) == {(b"k-1", RECEIPT % 1): 2, (b"k-2", RECEIPT % 2): 2}
    for message in back:
        headers = dict(message.headers())
        assert headers["received_ms"] == str(at_ms).encode()
        assert headers.keys() <= {"source", "received_ms", "tenant", "redriven_from", "attempts"}
    assert [m.partition() for m in back if m.key() == b"k-1"] == [8, 9], "never where its original is"
    assert [m.timestamp()[1] for m in back if m.key() == b"k-2"] == [at_ms, at_ms]


def _has(message: Message, name: str) -> bool:
    return name in dict(message.headers() or [])


def test_what_the_gateway_buried_meets_the_other_records_of_its_message(site: Site) -> None:
    buried = [
        ("source", b"twilio"),
        ("received_ms", b"1784289600000"),
        ("reason", b"bad_status"),
        ("source_topic", site.settings.topic("outcomes").encode()),
        ("source_partition", b"-1"),
        ("source_offset", b"-1"),
        ("parameters", b"carrier=310-260"),
    ]
    value = b"MessageSid=SM%d&MessageStatus=delivered&Body=hello"
    site.produce("dead-letters", *({"value": value % i, "headers": buried} for i in range(5)))
    assert "5 re-driven" in site.run("redrive", "--yes").stdout
    back = read_all(site.settings, "outcomes")
    cut = value.replace(b"hello", b"-") + b"&carrier=310-260"
    assert {m.key(): m.value() for m in back} == {b"SM%d" % i: cut % i for i in range(5)}
    assert all(m.partition() == (murmur2(m.key()) & 0x7FFFFFFF) % 12 for m in back)
    assert {name for m in back for name, _ in m.headers()} == {
        "source",
        "received_ms",
        "redriven_from",
        "attempts",
    }


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_letters_are_read_whatever_they_are_compressed_with(site: Site, codec: str) -> None:
    values = [b"%06d" % i + b"x" * 1_000 for i in range(300)]
    producer = Producer(
        {"bootstrap.servers": site.kafka.bootstrap_servers, "compression.type": codec, "linger.ms": 50}
    )
    for value in values:
        producer.produce(
            site.settings.topic("dead-letters"), value, partition=1, headers=[("reason", b"empty")]
        )
    assert producer.flush(30) == 0
    with LetterLog(site.settings) as log:
        found: list[Letter] = list(log.letters(Wanted(), {}, lambda done, total: None))
    assert [letter.value for letter in found] == values


def test_a_bad_deploy_does_not_drain_the_topic(site: Site) -> None:
    """Deployed with another format: it refuses, also when started again; mended, all is counted."""
    wrong = site.write("wrong", ingest="poison_min_records = 200", form="canonical")
    right = site.write("right", ingest="poison_min_records = 200")
    now_ms = int(time.time() * 1000)
    value = b"MessageSid=SM%d&MessageStatus=delivered&To=%%2B12025550123"
    headers = [("source", b"twilio"), ("received_ms", str(now_ms).encode())]
    site.produce(
        "outcomes", *({"value": value % i, "key": b"%d" % i, "headers": headers} for i in range(300))
    )

    for _ in range(2):
        ingest = site.ingest(wrong)
        site.until(lambda ingest=ingest: any("poison" in r for r in ingest.reasons()), "it says so")
        (why,) = [r for r in ingest.reasons() if r.startswith("poison")]
        for words in ("source 'twilio'", "100.0% of the 300", "300 not_json", "poison_ratio"):
            assert words in why
        assert ingest.stop() == 3
        assert read_all(site.settings, "dead-letters") == []

    site.ingest(right)
    site.until(lambda: site.tallies()["twilio", "counted"] == 300, "all are counted")
    assert site.tallies() == {("twilio", "counted"): 300}
