"""Every Kafka client of ours, through every way in, against a broker that asks who one is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from alerts.settings import Settings
from streams import rights, topic_admin, topic_facts
from streams.consumer import consumer_config
from streams.engine import make_app
from streams.errors import Unreachable
from streams.gateway import doors
from streams.gateway.produce import Writer, producer_config
from streams.http import Readiness
from streams.kafka_trouble import unreachable
from streams.log_reader import read_log
from streams.settings import Secret
from streams.topic_admin import TopicAdmin
from streams.topic_facts import TopicFacts
from streams.topics import WINDOWS
from tests.faults.cluster import wait_for
from tests.integration.certificates import Authority
from tests.integration.secured import PREFIX, WAYS, Secured

pytestmark = pytest.mark.needs_openssl

WAIT_S = 20.0


def write_as_the_gateway(settings: Settings) -> None:
    producer, failed = Producer(producer_config(settings)), list[Any]()
    producer.produce(settings.topic(WINDOWS), b"x", on_delivery=lambda e, _: failed.append(e) if e else None)
    assert producer.flush(WAIT_S) == 0
    assert failed == []


def read_as_ingest(settings: Settings) -> None:
    consumer = Consumer(consumer_config(settings))
    assert settings.topic(WINDOWS) in consumer.list_topics(timeout=WAIT_S).topics
    consumer.close()


def read_back_by_aiokafka(settings: Settings) -> None:
    assert isinstance(asyncio.run(read_log(settings, WINDOWS, 0)), list)


def write_by_faust(settings: Settings) -> None:
    async def write() -> None:
        app = make_app(settings, "group", "instance")
        producer = app.transport.create_producer()
        await producer.start()
        assert (await producer.send_and_wait(settings.topic(WINDOWS), b"k", b"x", None, None, {})) is not None
        await producer.stop()

    asyncio.run(write())


def look_by_kafka_python(settings: Settings) -> None:
    with TopicAdmin(settings) as admin:
        assert all(d.ok for d in admin.differences())


Client = Callable[[Settings], None]
CLIENTS = (
    write_as_the_gateway,
    read_as_ingest,
    read_back_by_aiokafka,
    write_by_faust,
    look_by_kafka_python,
)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("way", WAYS)
def test_every_client_gets_in_every_way(
    secured: Secured, way: str, client: Callable[[Settings], None]
) -> None:
    client(Settings(kafka=secured.way(way, PREFIX)))


def wrong(secured: Secured, way: str = "SCRAM-SHA-256") -> Settings:
    return Settings(kafka=secured.way(way, PREFIX, password=Secret("not-the-password")))


def ask_as_a_role(settings: Settings) -> None:
    TopicFacts(settings, (), rights.of_windows(settings)).load()


@pytest.mark.parametrize(
    "client", [ask_as_a_role, read_back_by_aiokafka, look_by_kafka_python], ids=lambda c: c.__name__
)
def test_a_wrong_password_is_told_in_words_that_say_what_to_do(
    secured: Secured, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_admin, "_TIMEOUT_MS", 1_000)
    monkeypatch.setattr(topic_facts, "_TIMEOUT_S", 1.0)
    with pytest.raises(Unreachable) as refused:
        client(wrong(secured))
    told = str(refused.value)
    assert "Kafka does not let in SCRAM-SHA-256 as 'everybody' (Authentication failed" in told
    assert "check kafka.username, kafka.password (or what kafka.password_file holds)" in told
    assert "not-the-password" not in told


async def test_the_gateway_tells_it_where_it_says_whether_it_is_ready(secured: Secured) -> None:
    settings, readiness = wrong(secured, "PLAIN"), Readiness()
    writer = Writer(settings, readiness, doors.rights(settings))
    writer.start()
    try:
        await asyncio.to_thread(
            wait_for, lambda: "check kafka.username" in str(readiness.reasons), "the gateway says why", WAIT_S
        )
    finally:
        await writer.stop()


@pytest.mark.parametrize(
    "way, other, words",
    [
        ("PLAIN", {"ca_file": ""}, "the broker's certificate is not trusted: kafka.ca_file must hold the CA"),
        (
            "mTLS",
            {"certificate_file": "", "key_file": ""},
            "it wants a certificate of a CA that it trusts in",
        ),
        ("OAUTHBEARER", {"oauth_token_file": "forged"}, "check kafka.oauth_token_file"),
    ],
)
def test_what_is_missing_of_certificates_and_tokens_is_named(
    secured: Secured, way: str, other: dict[str, str], words: str
) -> None:
    (secured.folder / "forged").write_text("no.token.")
    given = {k: str(secured.folder / v) if k == "oauth_token_file" else v for k, v in other.items()}
    told = str(unreachable(Settings(kafka=secured.way(way, PREFIX, **given)), "connecting"))
    assert words in told


def test_a_certificate_of_another_authority_is_not_accepted(secured: Secured, tmp_path: Path) -> None:
    pair = Authority(tmp_path, "another CA").pair("everybody")
    files = {"certificate_file": str(pair.certificate), "key_file": str(pair.key)}
    settings = Settings(kafka=secured.way("mTLS", PREFIX, **files))
    assert "it wants a certificate of a CA that it trusts" in str(unreachable(settings, "connecting"))
