"""What was advised, read back from `retry-advice`."""

from __future__ import annotations

import logging
from typing import NamedTuple

import msgspec
from aiokafka.errors import KafkaError

from alerts.advice.records import Advice, decoder, series_of
from alerts.advice.tally import Retries, tallied
from alerts.records import Incident
from alerts.review.evidence import first_onset_s
from alerts.review.series import Gathering, Span
from alerts.settings import Settings
from streams.errors import MonitorError
from streams.log_reader import read_some
from streams.topics import RETRY_ADVICE

log = logging.getLogger(__name__)

MOST_READ = 50_000
"""Records of each partition."""


class Read(NamedTuple):
    """Advice on messages, and whether it is all that there was."""

    advices: list[Advice]
    whole: bool


async def read_advice(settings: Settings, since_ms: int) -> Read:
    """What was written since then (wall time). Raises Unreachable."""
    read, found = 0, list[Advice]()
    async for value in read_some(settings, RETRY_ADVICE, since_ms, MOST_READ):
        read += 1
        advice = _advice(value)
        if advice is not None:
            found.append(advice)
    return Read(found, read < MOST_READ)


async def retries(settings: Settings, gathering: Gathering, incident: Incident, span: Span) -> Retries | None:
    """What was advised on the messages that failed in the incident, from its onset to the end of `span`;
    None where that can not be read."""
    from_s = first_onset_s(incident)
    try:
        read = await read_advice(settings, from_s * 1000)
    except (MonitorError, KafkaError) as e:
        log.warning("advice is not counted: %s: %s", type(e).__name__, e)
        return None
    in_time = (a for a in read.advices if from_s <= a.failed_ms // 1000 < span.to_s)
    return tallied((a for a in in_time if gathering.is_own_failure(series_of(a))), whole=read.whole)


def _advice(value: bytes) -> Advice | None:
    """None for what is about an incident, or can not be read."""
    try:
        record = decoder.decode(value)
    except msgspec.MsgspecError:
        return None
    return record if isinstance(record, Advice) else None
