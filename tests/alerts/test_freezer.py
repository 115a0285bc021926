"""Freezing evidence is beside everything else: nothing of it reaches whoever decides or pages."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from alerts.freezer import MOST_WAITING, Freezer
from alerts.review.evidence import Frozen
from alerts.settings import Settings
from tests.alerts.review.journal import incident

NOWHERE = msgspec.convert({"kafka": {"bootstrap_servers": "127.0.0.1:1"}}, Settings)


class Filed:
    def __init__(self, settings: Settings = NOWHERE) -> None:
        self.records: list[Frozen] = []
        self.freezer = Freezer(settings, self.file, lambda: 0, lambda: 0)

    async def file(self, record: Frozen) -> None:
        self.records.append(record)


async def test_without_kafka_there_is_a_word_in_the_log_and_no_evidence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    filed = Filed()
    with caplog.at_level(logging.WARNING):
        filed.freezer.ask(incident(rule="gone"), "opened")
        filed.freezer.ask(incident(), "opened")
        await asyncio.gather(*filed.freezer._asked)
    said = [r.message for r in caplog.records if r.name == "alerts.freezer"]
    assert [("no evidence of" in m) for m in said] == [True, True]
    assert "rule 'gone' is not configured any more" in said[0] and "127.0.0.1:1" in said[1]
    assert filed.records == []


async def test_only_what_opens_or_ends_is_frozen_and_a_storm_waits_for_nothing() -> None:
    filed = Filed()
    filed.freezer.ask(incident(), "escalated")
    assert not filed.freezer._asked
    for _ in range(MOST_WAITING + 10):
        filed.freezer.ask(incident(rule="gone"), "resolved")
    assert len(filed.freezer._asked) == MOST_WAITING
    await asyncio.gather(*filed.freezer._asked)
