"""What `doctor` says of the way to Kafka and Redis."""

from __future__ import annotations

import pytest

from alerts.doctor.access import check_access
from alerts.doctor.finding import Level
from alerts.settings import Settings
from streams.settings import Kafka, Redis, Secret

AWAY = "kafka-1.example.org:9092"
CLEAR = Kafka(
    bootstrap_servers=AWAY, security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", username="ann"
)


@pytest.mark.parametrize(
    "kafka, level, words",
    [
        (Kafka(), Level.OK, "kafka.security_protocol = PLAINTEXT, nobody in particular"),
        (Kafka(bootstrap_servers="[::1]:9092,localhost:9093"), Level.OK, "PLAINTEXT"),
        (
            Kafka(bootstrap_servers=f"127.0.0.1:9092,{AWAY}"),
            Level.WARN,
            "numbers go over the network in clear",
        ),
        (CLEAR, Level.WARN, "numbers and the password go over the network in clear"),
        (Kafka(bootstrap_servers=AWAY, security_protocol="SSL"), Level.OK, "SSL"),
    ],
)
def test_what_goes_over_a_network_in_clear_is_warned_of(kafka: Kafka, level: Level, words: str) -> None:
    (found,) = check_access(Settings(kafka=kafka))
    assert (found.level, words in found.found) == (level, True)


@pytest.mark.parametrize(
    "redis, warned",
    [
        (Redis(url="redis://redis.example.org/0"), False),
        (Redis(url="redis://:s3cret@redis.example.org/0"), True),
        (Redis(url="redis://redis.example.org/0", password=Secret("s3cret")), True),
        (Redis(url="rediss://redis.example.org/0", password=Secret("s3cret")), False),
        (Redis(url="redis://:s3cret@127.0.0.1/0"), False),
    ],
)
def test_a_password_of_redis_in_clear_is_warned_of(redis: Redis, warned: bool) -> None:
    found = [f for f in check_access(Settings(redis=redis)) if f.what == "redis"]
    assert [f.level for f in found] == [Level.WARN] * warned
    assert "s3cret" not in str(found)
