"""What is read of the desk from outside, and how people ask: the topics alone, never the role itself."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import json

from alerts.records import Incident
from streams.commands import MOST_NAME, Ask, Command, Silence, Via, safe
from streams.kafka_access import aiokafka
from streams.kafka_trouble import unreachable
from streams.log_reader import read_compacted
from streams.records import encode
from streams.settings import Settings
from streams.topics import INCIDENT_COMMANDS, INCIDENTS, SILENCES

TIMEOUT_MS = 10_000


async def read_incidents(settings: Settings) -> dict[str, Incident]:
    """By key, as they are written now. Raises Unreachable."""
    found = [json.decode(v, type=Incident) for v in (await read_compacted(settings, INCIDENTS)).values()]
    return {incident.key: incident for incident in found}


async def read_silences(settings: Settings) -> list[Silence]:
    """All that are kept, those that are over too. Raises Unreachable."""
    return [json.decode(v, type=Silence) for v in (await read_compacted(settings, SILENCES)).values()]


def command(
    what: Ask, author: str, at_ms: int, via: Via, *, id: str = "", text: str = "", **more: Any
) -> Command:
    """One thing asked for; texts are masked and cut. `at_ms` is wall time; one `id` counts once."""
    made = id or uuid.uuid4().hex
    return Command(made, what, at_ms, safe(author, MOST_NAME), via, text=safe(text), **more)


async def ask(settings: Settings, command: Command) -> None:
    """Returns once all in-sync replicas have the command. Raises Unreachable."""
    topic = settings.topic(INCIDENT_COMMANDS)
    producer = AIOKafkaProducer(**aiokafka(settings), acks="all", request_timeout_ms=TIMEOUT_MS)
    try:
        await producer.start()
        await producer.send_and_wait(topic, encode(command), key=command.record_key)
    except KafkaError as e:
        raise await asyncio.to_thread(unreachable, settings, f"writing to {topic}: {e}") from e
    finally:
        await producer.stop()
