"""What may be said of the way to Kafka, and what is refused because it contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import ConfigError
from streams.settings import Kafka, Secret, Settings, dump, load
from streams.settings_kafka import check_kafka

PASSWORD = "pa55-word-of-nobody"
SCRAM = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "username": "ann"}
OAUTH = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}
CLIENT = {"oauth_client_id": "monitor", "oauth_client_secret": Secret(PASSWORD)}


def kafka(**given: object) -> Kafka:
    return Kafka(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given, words",
    [
        (
            {"security_protocol": "TLS"},
            "security_protocol = 'TLS': allowed are PLAINTEXT, SSL, SASL_PLAINTEXT",
        ),
        ({"ca_file": "ca.pem"}, "kafka.ca_file is set, but needs kafka.security_protocol = 'SSL'"),
        ({"username": "ann"}, "kafka.username is set, but needs kafka.security_protocol = 'SASL_SSL'"),
        ({"password": Secret(PASSWORD)}, "kafka.password is set, but needs kafka.security_protocol"),
        ({"security_protocol": "SSL", "sasl_mechanism": "PLAIN"}, "kafka.sasl_mechanism is set, but needs"),
        ({"security_protocol": "SASL_SSL"}, "kafka.sasl_mechanism = '': allowed are PLAIN, SCRAM-SHA-256"),
        (SCRAM, "kafka.sasl_mechanism = 'SCRAM-SHA-512', but kafka.username or kafka.password is empty"),
        (
            {**SCRAM, "password": Secret(PASSWORD), "oauth_scope": "kafka"},
            "kafka.oauth_scope is set, but is of OAUTHBEARER, not of SCRAM-SHA-512",
        ),
        (OAUTH, "set one of kafka.oauth_token_file, a file that is kept fresh, and kafka.oauth_token_url"),
        ({**OAUTH, "username": "ann"}, "kafka.username is set, but is not of OAUTHBEARER"),
        (
            {**OAUTH, "oauth_token_file": "t", "oauth_token_url": "https://a/t"},
            "set one of kafka.oauth_token_file",
        ),
        (
            {**OAUTH, "oauth_token_file": "t", "oauth_scope": "kafka"},
            "is of kafka.oauth_token_url, which is not",
        ),
        (
            {**OAUTH, "oauth_token_url": "https://a/t"},
            "needs kafka.oauth_client_id and kafka.oauth_client_sec",
        ),
        ({**OAUTH, **CLIENT, "oauth_token_url": "http://idp.example/t"}, "must be https://HOST/PATH"),
        ({**OAUTH, **CLIENT, "oauth_token_url": "https://me:it@idp.example/t"}, "without a user"),
        ({**OAUTH, **CLIENT, "oauth_token_url": "https://[::1/t"}, "must be https://HOST/PATH"),
        (
            {"security_protocol": "SSL", "ca_file": "/nowhere/ca.pem"},
            "kafka.ca_file = /nowhere/ca.pem: must be",
        ),
        (
            {"security_protocol": "SSL", "certificate_file": "c"},
            "certificate_file is set without kafka.key_file",
        ),
        ({"security_protocol": "SSL", "key_file": "k"}, "key_file is set without kafka.certificate_file"),
        (
            {"security_protocol": "SSL", "key_password": Secret("x")},
            "key_password is set without kafka.key_file",
        ),
        (
            {"security_protocol": "SSL", "certificate_file": "/nowhere/c", "key_file": "/nowhere/k"},
            "kafka.certificate_file = /nowhere/c: must be a file with PEM: No such file",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_in_words(given: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_kafka(kafka(**given))
    assert words in str(refused.value)
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"security_protocol": "SSL"},
        {**SCRAM, "password": Secret(PASSWORD)},
        {**SCRAM, "password": Secret(PASSWORD), "security_protocol": "SASL_PLAINTEXT"},
        {**OAUTH, "oauth_token_file": "/run/token"},
        {**OAUTH, **CLIENT, "oauth_token_url": "https://idp.example/token", "oauth_scope": "kafka"},
        {**OAUTH, **CLIENT, "oauth_token_url": "http://127.0.0.1:8080/token"},
    ],
)
def test_each_way_in_is_accepted(given: dict[str, object]) -> None:
    check_kafka(kafka(**given))


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate\n")
    with pytest.raises(ConfigError, match=r"kafka\.ca_file = .*empty\.pem: must be a file with certificates"):
        check_kafka(kafka(security_protocol="SSL", ca_file=str(empty)))
    both = {"certificate_file": str(empty), "key_file": str(empty)}
    with pytest.raises(ConfigError, match="do not fit: both must be PEM"):
        check_kafka(kafka(security_protocol="SSL", **both))


def test_the_password_may_come_from_a_file_and_never_shows_itself(tmp_path: Path) -> None:
    secret = tmp_path / "kafka.password"
    secret.write_text(PASSWORD + "\n")
    env = {f"CARRIER_HEALTH_KAFKA__{key.upper()}": str(value) for key, value in SCRAM.items()}
    settings = load(Settings, None, env | {"CARRIER_HEALTH_KAFKA__PASSWORD_FILE": str(secret)})
    assert settings.kafka.password.reveal() == PASSWORD
    assert dump(settings)["kafka"]["password"] == "****"
    assert PASSWORD not in repr(settings) + str(dump(settings))


def test_people_are_told_who_the_monitor_is_to_kafka() -> None:
    assert kafka(**SCRAM).identity == "SCRAM-SHA-512 as 'ann'"
    assert kafka(**OAUTH).identity == "OAUTHBEARER"
    assert kafka(security_protocol="SSL", certificate_file="us.pem").identity == "the certificate us.pem"
    assert kafka().identity == "nobody in particular"
