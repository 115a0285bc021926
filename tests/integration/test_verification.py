"""The numbers of an incident from a real Kafka, looked up at a server in Twilio's place, cost counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import msgspec
import pytest
from confluent_kafka import Producer

from alerts.causes import Verified
from alerts.records import Incident
from alerts.settings import Settings, Verification
from alerts.verifier import Verifier
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.metrics import Metrics, Role
from streams.records import FailedRecipient, encode
from streams.settings import Kafka, Lookup, Rule, Secret, Source
from streams.settings import Redis as RedisSettings
from tests.alerts.incidents import incident
from tests.integration.gateway import make_topics
from tests.integration.test_lookup import HASHER, Twilio

NUMBERS = {
    "SM1": "+12025550123",  # at T-Mobile, as the record says
    "SM2": "+12025550124",  # at Verizon, though the record says T-Mobile
    "SM3": "+12025550199",  # Lookup knows nothing of it
}


@pytest.fixture(scope="module")
def twilio() -> Iterator[Twilio]:
    with Twilio() as server:
        yield server


@pytest.fixture(scope="module")
def site(kafka: EmbeddedKafka, valkey: EmbeddedValkey, twilio: Twilio) -> tuple[Settings, Incident]:
    """Failed messages with their records, others beside them, and the incident that they made."""
    prefix, now_s = f"test-verify-{time.time_ns()}-", int(time.time()) // 10 * 10
    make_topics(kafka.bootstrap_servers, prefix)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for id, number in {**NUMBERS, "SM4": "+12025550177"}.items():
        value = f'{{"message_id":"{id}","status":"undelivered","code":"30003","to":"{number}",'
        value += f'"received_ms":{now_s * 1000}}}'
        sent = {"headers": {"source": "twilio"}, "timestamp": now_s * 1000}
        producer.produce(f"{prefix}outcomes", value, id, **sent)
        if id in NUMBERS:
            names = f"{HASHER(number):016x}", id, "f", "twilio", "310-260", "US", "absent_subscriber"
            failed = FailedRecipient(*names, "30003", None, now_s * 1000, HASHER.key_id)
            producer.produce(f"{prefix}failed-recipients", encode(failed), names[0], timestamp=now_s * 1000)
    assert producer.flush(30) == 0
    settings = Settings(
        kafka=Kafka(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=prefix),
        redis=RedisSettings(url=valkey.url),
        sources=(Source(name="twilio", format="canonical", codes="twilio"),),
        rules=(Rule(name="r", codes=("30003",)),),
        lookup=Lookup(account_sid="SK1", auth_token=Secret("s"), base_url=twilio.url, requests_per_s=100.0),
        verification=Verification(enabled=True, sample=10),
    )
    return settings, incident(opened_s=now_s, onset_ms=(now_s - 10) * 1000)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def look(settings: Settings, one: Incident, prefix: str) -> Verified:
    async def nobody(key: str, found: Verified) -> None: ...

    made = Verifier(settings, nobody, now_ms, Metrics(Role.ALERTS), prefix)
    return await made.look(one)


async def test_the_failed_numbers_are_found_looked_up_once_and_told_by_kind(
    site: tuple[Settings, Incident], twilio: Twilio, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings, one = site
    with caplog.at_level(logging.DEBUG):
        found = await look(settings, one, topic_prefix)
        again = await look(settings, one, topic_prefix)
    assert found.looked_up == 3 and found.found["expected"] == 1 and found.found["elsewhere"] == 1
    assert again.found == found.found and not found.why_fewer
    assert sorted(twilio.asked) == sorted(NUMBERS.values())  # once: the second time the cache knew
    told = repr((found, again)) + "".join(r.getMessage() for r in caplog.records if "alerts" in r.name)
    assert not [number for number in NUMBERS.values() if number[-10:] in told]


async def test_the_budget_of_the_day_holds(
    site: tuple[Settings, Incident], twilio: Twilio, topic_prefix: str
) -> None:

    settings, one = site
    before = len(twilio.asked)
    few = msgspec.structs.replace(
        settings, verification=Verification(enabled=True, sample=10, daily_requests=2)
    )
    found = await look(few, one, topic_prefix)
    assert found.looked_up == 2 and found.why_fewer == "the budget of the day is used up"
    assert len(twilio.asked) == before + 2


async def test_it_is_asked_once_of_an_incident_that_pages_and_what_was_found_is_attached(
    site: tuple[Settings, Incident], topic_prefix: str
) -> None:
    settings, one = site
    told: list[tuple[str, Verified]] = []

    async def attach(key: str, found: Verified) -> None:
        told.append((key, found))

    made = Verifier(settings, attach, lambda: 1_000, Metrics(Role.ALERTS), topic_prefix)
    made.ask(one, "scope_changed")
    assert not made._asked
    made.ask(one, "opened")
    made.ask(one, "escalated")
    (task,) = made._asked.values()
    await task
    assert [key for key, _ in told] == [one.key] and told[0][1].looked_up == 3


async def test_without_redis_or_failed_messages_it_says_why_not(
    site: tuple[Settings, Incident], twilio: Twilio, topic_prefix: str
) -> None:

    settings, one = site
    before = len(twilio.asked)
    away = msgspec.structs.replace(settings, redis=RedisSettings(url="redis://127.0.0.1:1/0"))
    assert "Redis does not answer" in (await look(away, one, topic_prefix)).why_fewer
    elsewhere = msgspec.structs.replace(one, current_carrier="310-410", carrier="310-410")
    assert "no failed message" in (await look(settings, elsewhere, topic_prefix)).why_fewer
    assert len(twilio.asked) == before
