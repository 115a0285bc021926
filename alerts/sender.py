"""Writes records through the producer of the Faust application, one acknowledgement at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.ledger import Send
from alerts.settings import Settings


def topic_sender(app: Any, settings: Settings) -> Send:
    """Sends through the Faust producer and waits for the acknowledgement."""

    async def send(topic: str, key: bytes, value: bytes) -> None:
        await send_raw(app, settings.topic(topic), key, value)

    return send


async def send_raw(
    app: Any, topic: str, key: bytes, value: bytes, headers: Mapping[str, bytes] | None = None
) -> None:
    """One record as it is, by the topic's name in Kafka; returns once Kafka has acknowledged it."""
    raw = {"key_serializer": "raw", "value_serializer": "raw"}
    await (await app.send(topic, key=key, value=value, headers=headers and dict(headers), **raw))
