"""`topics` and `doctor` against a real Kafka and a real Valkey."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer
from kafka import KafkaConsumer

from alerts.cli.doctor import doctor
from alerts.cli.topics import topics
from alerts.settings import Settings
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.engine import COMPRESSION
from streams.records import Cells, ClosedBucket, Partial, SeriesKey, encode
from streams.settings import Kafka, Source
from streams.topic_admin import TopicAdmin
from streams.topics import DAY_MS, TOPICS


@pytest.fixture
def config(tmp_path: Path, kafka: EmbeddedKafka, valkey: EmbeddedValkey, topic_prefix: str) -> Path:
    path = tmp_path / "carrier-health.toml"
    path.write_text(f"""
        [kafka]
        bootstrap_servers = "{kafka.bootstrap_servers}"
        topic_prefix = "{topic_prefix}"
        replication_factor = 1
        [redis]
        url = "{valkey.url}"
        [ingest]
        group = "{topic_prefix}ingest"
        [privacy]
        recipient_key = "0123456789abcdef0123456789abcdef"
        [alerting]
        mode = "observe"
        [[sources]]
        name = "twilio"
        format = "twilio-status-callback"
        """)
    return path


@pytest.fixture
def settings(kafka: EmbeddedKafka, topic_prefix: str) -> Settings:
    return Settings(
        kafka=Kafka(
            bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, replication_factor=1
        )
    )


def run(command: object, config: Path, *args: str) -> Result:
    return CliRunner().invoke(command, ["--config", str(config), *args])  # type: ignore[arg-type]


def test_topics_shows_what_is_missing_makes_it_and_is_content(config: Path, topic_prefix: str) -> None:
    before = run(topics, config)
    assert before.exit_code == 1
    assert before.output.count("missing") == len(TOPICS)

    made = run(topics, config, "--apply")
    assert made.exit_code == 0, made.output
    assert made.output.count("ok (was: missing)") == len(TOPICS)

    after = run(topics, config)
    assert after.exit_code == 0, after.output
    assert f"{topic_prefix}outcomes" in after.output


def test_doctor_is_content_with_an_installation_that_is_in_order(config: Path) -> None:
    run(topics, config, "--apply")
    result = run(doctor, config)
    assert result.exit_code == 0, result.output
    for line in (
        "ok    topics: all 12 exist",
        "ok    kafka: transactions work",
        "ok    rights: this user may read and write the 12 topics",
        "ok    redis: appendonly is on",
        "ok    clock: within 2 s of Redis",
        "warn  pager: nobody is paged",
    ):
        assert line in result.output


def test_doctor_tells_the_share_of_unknown_carriers_and_the_ways_out(
    config: Path, settings: Settings
) -> None:
    run(topics, config, "--apply")
    for i, carrier in enumerate(["unknown", "unknown", "310-260"]):
        keys = [
            SeriesKey("twilio", carrier, "US", "delivered", ""),
            SeriesKey("smpp", "310-260", "US", "delivered", ""),
        ]
        cells = Cells(
            keys=keys, key=[0, 1], bucket_s=[1_770_000_000 + 10 * i] * 2, finals=[10, 10], sends=[0, 0]
        )
        bucket = ClosedBucket(
            1_770_000_000 + 10 * i, "a", 1, 1, through=i, low_water=i, sources={}, positions=[], cells=cells
        )
        produce(settings, settings.topic("windows"), encode(bucket))
    output = run(doctor, config).output
    assert (
        "warn  carriers: twilio: unknown for 67% of 30 outcomes of the last hour -> put `carrier`" in output
    )
    assert "lookup.enabled = true, or tag messages" in output
    assert "ok    carriers: smpp: unknown for 0% of 30 outcomes" in output
    assert "ok    lookup: lookup.enabled = false" in output


def test_doctor_names_each_topic_that_is_missing_and_the_remedy(config: Path, topic_prefix: str) -> None:
    result = run(doctor, config)
    assert result.exit_code == 1
    assert (
        f"fail  topics: {topic_prefix}windows: missing -> run `carrier-health topics --apply`"
        in result.output
    )


def test_settings_that_fall_short_are_altered(settings: Settings) -> None:
    name = settings.topic("windows")
    with TopicAdmin(settings) as admin:
        short = {"retention.ms": "3600000", "cleanup.policy": "compact"}
        admin._admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1, "configs": short}})
        admin.apply()
        (found,) = [d for d in admin.differences() if d.name == name]
    assert found.verdict == "ok"
    assert found.config["retention.ms"] == str(30 * DAY_MS)
    assert found.config["cleanup.policy"] == "delete"


def test_new_partitions_of_outcomes_are_announced_first(settings: Settings) -> None:
    with TopicAdmin(settings) as admin:
        admin.apply()
        changed = admin.apply({"outcomes": 15})
        (found,) = [d for d in admin.differences() if d.name == settings.topic("outcomes")]
    assert [d.name for d in changed] == [settings.topic("outcomes")]
    assert found.partitions == 15
    (announced,) = partials(settings)
    assert announced.sources == {settings.topic("outcomes"): 15}
    assert announced.ranges == []


def test_a_topic_that_no_source_is_bound_to_any_more_is_retired(settings: Settings) -> None:
    outcomes = settings.topic("outcomes")
    counted = {outcomes: 12, "gone": 1}
    bucket = ClosedBucket(1_770_000_000, "a", 1, 1, through=0, low_water=0, sources=counted, positions=[])
    with TopicAdmin(settings) as admin:
        admin.apply()
        produce(settings, settings.topic("windows"), encode(bucket))
        assert admin.retired() == ["gone"]
        admin.apply()
    (announced,) = partials(settings)
    assert announced.retired == ["gone"]


def test_a_bound_topic_is_made_like_outcomes_and_keeps_its_own_partitions(settings: Settings) -> None:
    name = settings.topic("east")
    bound = msgspec.structs.replace(
        settings, sources=(Source(name="east", format="smpp-receipt", topic=name),)
    )
    with TopicAdmin(bound) as admin:
        admin._admin.create_topics({name: {"num_partitions": 3, "replication_factor": 1}})
        admin.apply()
        (found,) = [d for d in admin.differences() if d.name == name]
    assert (found.verdict, found.partitions) == ("ok", 3)


def produce(settings: Settings, topic: str, value: bytes) -> None:
    packed = {"bootstrap.servers": settings.kafka.bootstrap_servers, "compression.type": COMPRESSION}
    producer = Producer(packed)
    producer.produce(topic, value)
    assert producer.flush(10) == 0


def partials(settings: Settings) -> list[Partial]:
    consumer = KafkaConsumer(
        settings.topic("partials"),
        bootstrap_servers=settings.kafka.bootstrap_servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=2000,
    )
    try:
        return [msgspec.json.decode(r.value, type=Partial) for r in consumer]
    finally:
        consumer.close()
