"""A broker that is away for longer than a session lives, twice: what was written before and after is counted.

write | broker killed ... 12 s ... started | write | all of it in committed partials
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from streams.errors import STARTS_ANEW
from streams.records import Partial
from streams.settings import Source
from streams.topics import OUTCOMES, PARTIALS
from tests.faults.audit import read_all
from tests.faults.cluster import Cluster, wait_for

AWAY_S, ROUNDS, RECORDS, WITHIN_S = 12.0, 2, 100, 90.0
SOURCE = Source(name="router", format="canonical", codes="twilio")


def write(cluster: Cluster, name: str) -> None:
    producer = Producer({"bootstrap.servers": cluster.kafka.bootstrap_servers, "log_level": 0})
    now_ms = time.time_ns() // 1_000_000
    for number in range(RECORDS):
        id = f"{name}-{number}"
        value = f'{{"message_id":"{id}","status":"delivered","carrier":"c","region":"US",'
        value += f'"provider_time_ms":{now_ms}}}'
        producer.produce(cluster.settings.topic(OUTCOMES), value, id, headers={"source": "router"})
    assert producer.flush(30) == 0


def counted(cluster: Cluster) -> int:
    """Of the records, as committed partials have it; all pieces of a flush carry the same tallies."""
    messages = read_all(cluster.settings, PARTIALS)
    partials = [msgspec.json.decode(m.value() or b"", type=Partial) for m in messages]
    tallies = [r.tally.get("router", {}) for p in partials if p.part == p.parts for r in p.ranges]
    return sum(tally.get("counted", 0) for tally in tallies)


@pytest.mark.timeout(300)
def test_ingest_counts_on_after_a_broker_that_was_away_for_longer_than_a_session(tmp_path: Path) -> None:
    with Cluster(tmp_path, [SOURCE]) as cluster:
        cluster.start_servers({"outcomes": 3})
        ingest = cluster.role("ingest", "a")
        ingest.start()
        cluster.wait_ready([ingest])
        for number in range(ROUNDS):
            write(cluster, f"before-{number}")
            cluster.kafka.kill()
            time.sleep(AWAY_S)
            assert any(reason.startswith("progress: none for") for reason in ingest.reasons())
            cluster.kafka.start()
            write(cluster, f"after-{number}")
            written = 2 * RECORDS * (number + 1)
            wait_for(lambda n=written: counted(cluster) >= n, "all is counted", WITHIN_S, cluster.tend, 1.0)
            assert counted(cluster) == written
        assert set(ingest.exits) <= {STARTS_ANEW}
        print(f"ended by itself: {ingest.exits}")
