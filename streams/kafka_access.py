"""How each Kafka client is told where Kafka is and who we are: one place, four dialects.

    [kafka] --> librdkafka      ingest, the gateway, `learn`, `simulate`
            --> aiokafka        reading back, commands
            --> faust           windows, alerts (aiokafka underneath)
            --> kafka_python    topics, doctor, dead letters

What goes wrong with names, passwords, certificates and rights is told in words by `advice`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from streams.kafka_codecs import teach
from streams.kafka_tokens import Tokens
from streams.settings import Settings
from streams.settings_kafka import OAUTH, Kafka, tls_context


def librdkafka(settings: Settings) -> dict[str, Any]:
    """`bootstrap.servers`, TLS and SASL for clients of confluent-kafka."""
    kafka = settings.kafka
    config: dict[str, Any] = {"bootstrap.servers": kafka.bootstrap_servers}
    if kafka.security_protocol == "PLAINTEXT":
        return config
    config["security.protocol"] = kafka.security_protocol
    if kafka.has_tls:
        config |= _given(
            {
                "ssl.ca.location": kafka.ca_file,
                "ssl.certificate.location": kafka.certificate_file,
                "ssl.key.location": kafka.key_file,
                "ssl.key.password": kafka.key_password.reveal(),
            }
        )
    if kafka.has_sasl:
        config["sasl.mechanisms"] = kafka.sasl_mechanism
        config |= _given({"sasl.username": kafka.username, "sasl.password": kafka.password.reveal()})
    if kafka.sasl_mechanism == OAUTH:
        tokens = Tokens(kafka)
        config["oauth_cb"] = lambda _: tuple(tokens.token())
    return config


def aiokafka(settings: Settings) -> dict[str, Any]:
    """`bootstrap_servers`, TLS and SASL for clients of aiokafka."""
    kafka = settings.kafka
    more = {"sasl_oauth_token_provider": _for_aiokafka(kafka)} if kafka.sasl_mechanism == OAUTH else {}
    return {"bootstrap_servers": kafka.bootstrap_servers, **_of_python(kafka), **more}


def kafka_python(settings: Settings) -> dict[str, Any]:
    """`bootstrap_servers`, TLS and SASL for clients of kafka-python, which then read every codec."""
    teach()
    kafka = settings.kafka
    more = {"sasl_oauth_token_provider": _for_kafka_python(kafka)} if kafka.sasl_mechanism == OAUTH else {}
    return {"bootstrap_servers": kafka.bootstrap_servers.split(","), **_of_python(kafka), **more}


def faust(settings: Settings) -> dict[str, Any]:
    """`broker` and `broker_credentials` for a Faust app."""
    from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials
    from yarl import URL

    kafka = settings.kafka
    config: dict[str, Any] = {"broker": [URL(f"kafka://{s}") for s in kafka.bootstrap_servers.split(",")]}
    context = tls_context(kafka) if kafka.has_tls else None
    if kafka.sasl_mechanism == OAUTH:
        config["broker_credentials"] = OAuthCredentials(oauth_cb=_for_aiokafka(kafka), ssl_context=context)
    elif kafka.has_sasl:
        config["broker_credentials"] = SASLCredentials(
            username=kafka.username,
            password=kafka.password.reveal(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    elif context is not None:
        config["broker_credentials"] = SSLCredentials(context)
    return config


def _of_python(kafka: Kafka) -> dict[str, Any]:
    """What aiokafka and kafka-python call the same."""
    if kafka.security_protocol == "PLAINTEXT":
        return {}
    config: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.has_tls:
        config["ssl_context"] = tls_context(kafka)
    if kafka.has_sasl:
        config["sasl_mechanism"] = kafka.sasl_mechanism
        config |= _given(
            {"sasl_plain_username": kafka.username, "sasl_plain_password": kafka.password.reveal()}
        )
    return config


def _given(config: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in config.items() if value}


def _for_aiokafka(kafka: Kafka) -> Any:
    from aiokafka.abc import AbstractTokenProvider

    tokens = Tokens(kafka)

    class Provider(AbstractTokenProvider):
        async def token(self) -> str:
            return (await asyncio.to_thread(tokens.token)).text

    return Provider()


def _for_kafka_python(kafka: Kafka) -> Any:
    from kafka.net.sasl.oauth import AbstractTokenProvider

    tokens = Tokens(kafka)

    class Provider(AbstractTokenProvider):
        def token(self) -> str:
            return tokens.token().text

    return Provider()
