"""Retry advice on a real Kafka: right and once, whatever is killed; holds on each partition.

history --> failed-recipients, delivered-recipients --> the stage --> adviser --> retry-advice
                                    it ends between merge and commit ^      ^ waits for the windows
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from alerts.advice.adviser import Adviser
from alerts.advice.held import KNOWN_AFTER_MS, Latest
from alerts.advice.holds import Holds, publisher
from alerts.advice.live import LiveAdvice
from alerts.advice.records import Advice, Hold, Record, Release, decoder
from alerts.advice.rules import Facts, Policy
from alerts.cli.recipients import recipients
from alerts.recipients import log
from alerts.recipients.entry import Seen
from alerts.records import Incident
from alerts.spells import Where, followed
from streams.codes import BUILT_IN
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.metrics import Metrics, Role
from streams.permanence import Permanence
from streams.records import FailedRecipient
from streams.rules import RuleBook
from streams.settings import Source
from streams.topics import RETRY_ADVICE
from tests.alerts.advice.test_rules import expected
from tests.alerts.incidents import incident
from tests.integration.test_recipients import KEY, Site, running, until

SOURCES = (Source(name="api", format="canonical", codes="twilio"),)
HELD_FOR_S = 25
"""What fails in a later flush is not held any more: they are a second each."""


class Mortal:
    """Advice of a process that is killed at its `dies_at`th batch, after Redis and before Kafka."""

    def __init__(self, advise: LiveAdvice, dies_at: int) -> None:
        self._advise, self._left = advise, dies_at

    def __call__(self, failed: Sequence[FailedRecipient], seen: Sequence[Seen]) -> Sequence[log.Record]:
        records = self._advise(failed, seen)
        self._left -= bool(failed)
        if failed and self._left == 0:
            raise RuntimeError("killed")
        return records


class Outage:
    """An incident that holds retries of what fails before an epoch second, and what a station shows."""

    def __init__(self, book: RuleBook, until_s: int) -> None:
        self.until_ms = until_s * 1000 - KNOWN_AFTER_MS
        spells = followed((), Where("carrier", "311-480", "all"), self.until_ms - 3_600_000)
        self.open = incident("311-480", rule="twilio_30003", spells=spells)
        self.over = incident("311-480", rule="twilio_30003", spells=followed(spells, None, self.until_ms))
        self.shown: tuple[tuple[Incident, ...], int] = ((), -1)
        self.asked = 0
        self.latest = Latest(self._read, book)

    def _read(self) -> tuple[tuple[Incident, ...], int]:
        self.asked += 1
        return self.shown

    def holds(self, failed_s: int) -> bool:
        return failed_s * 1000 - KNOWN_AFTER_MS < self.until_ms

    def show(self) -> None:
        """All is decided up to some time ahead."""
        self.shown = (self.over,), int(time.time()) + 1_000


def test_each_message_has_one_advice_and_it_is_right_whatever_is_killed(
    kafka: EmbeddedKafka, valkey: EmbeddedValkey, topic_prefix: str, tmp_path: Path
) -> None:
    site = Site(kafka, valkey, topic_prefix)
    book = RuleBook.of(site.settings.rules, SOURCES)
    outage, policy = Outage(book, site.second + HELD_FOR_S), Policy.of(site.settings.advice)
    adviser = Adviser(policy, Permanence(SOURCES, BUILT_IN), Metrics(Role.ALERTS))
    live = LiveAdvice(adviser, outage.latest, lambda: True)
    site.happen(20)
    with running(site, Mortal(live, 2)):
        until(lambda: outage.asked > 2)
        assert advice(site) == {}, "nobody knows what is held yet"
        outage.show()
        until(lambda: advice(site).keys() == site.told.keys())
        site.happen(20)
        until(lambda: advice(site).keys() == site.told.keys())
    with running(site, Mortal(live, 1)):
        site.happen(10)
        until(lambda: advice(site).keys() == site.told.keys())
    is_right(site, outage)

    holds = Holds(book, publisher(site.settings))
    for now in (outage.open, outage.over, outage.over):
        holds.hear([now], outage.until_ms // 1000)
        if holds._due:
            asyncio.run(holds.tell())
    told = [(partition, record) for partition, record in written(site) if not isinstance(record, Advice)]
    from_ms = outage.over.spells[0].from_ms
    place = ("carrier", "311-480", "all", (), ("api",), ("30003",), ())
    both = [
        Hold(outage.over.key, "twilio_30003", *place, from_ms),
        Release(outage.over.key, from_ms, outage.until_ms),
    ]
    assert sorted(told, key=lambda t: t[0]) == [
        (partition, record) for partition in range(12) for record in both
    ]
    assert worst_senders(site, tmp_path)["too_soon"] > 0


def written(site: Site) -> list[tuple[int, Record]]:
    """All that is committed, with its partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": site.settings.kafka.bootstrap_servers,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    topic = site.settings.topic(RETRY_ADVICE)
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(12)])
    found, ends = [], 0
    while ends < 12:
        for message in consumer.consume(500, 1.0):
            if message.error():
                ends += 1
            else:
                found.append((message.partition() or 0, decoder.decode(message.value() or b"")))
    consumer.close()
    return found


def advice(site: Site) -> dict[str, set[Advice]]:
    """By message."""
    found: dict[str, set[Advice]] = defaultdict(set)
    for _, record in written(site):
        if isinstance(record, Advice):
            found[record.message_id].add(record)
    return dict(found)


def is_right(site: Site, outage: Outage) -> None:
    """Against the plain count of runs, through the table in other words."""
    decided = set()
    for message, (one, *others) in advice(site).items():
        told = site.told[message]
        held = outage.holds(told.first_s)
        facts = Facts(one.outcome_class, "temporary", False, told.listed, told.attempt, held)
        assert (one.decision, one.reason) == expected(facts), message
        assert (one.failed_ms, one.attempt, others) == (told.first_s * 1000, told.attempt, [])
        assert one.incident == (outage.over.key if one.decision == "hold" else None)
        decided.add(str(one.decision))
    assert decided == {"hold", "retry", "stop"}


def worst_senders(site: Site, home: Path) -> dict[str, int]:
    config = home / "carrier-health.toml"
    at = site.settings.kafka
    config.write_text(
        f'kafka.bootstrap_servers = "{at.bootstrap_servers}"\nkafka.topic_prefix = "{at.topic_prefix}"\n'
        f'privacy.recipient_key = "{KEY.reveal()}"\n'
    )
    result = CliRunner().invoke(recipients, ["retries", "--json", "--config", str(config)])
    assert result.exit_code == 0, result.output
    found: dict[str, int] = json.loads(result.stdout.splitlines()[0])
    return found
