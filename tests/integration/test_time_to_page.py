"""The benchmark of a page's way, small: its figures are whole. No timing is asserted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alerts.demo.receiver import Entry
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from tests.alerts.incidents import OPENED_S, incident
from tests.bench.time_to_page import Delays, delays, measured


def test_each_incident_of_a_small_run_has_its_delay(
    kafka: EmbeddedKafka, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    found = measured(kafka.bootstrap_servers, valkey.url, tmp_path, 2)
    assert len(found.ms) == found.opened == 2
    assert min(found.ms) > 0


def test_a_page_counts_from_the_bucket_that_wanted_it_to_its_first_arrival() -> None:
    late = incident("310-410", page_from_s=OPENED_S + 10)
    unpaged = incident("311-480")
    before = incident("302-720", OPENED_S - 10)
    log = [
        came(incident().key, 1_100),
        came(incident().key, 1_900),
        came(incident().key, 2_900, "resolve"),
        came(late.key, 2_300),
        came(before.key, 1_000),
    ]
    there_ms = {OPENED_S: 1_000, OPENED_S + 10: 2_000}
    assert delays([incident(), late, unpaged, before], log, there_ms) == Delays((100, 300), 3)


def test_the_figures_say_how_many_pages_they_are_of() -> None:
    text = str(Delays((10, 20, 30), 4))
    assert text == "3 pages of 4 incidents: p50 20 ms, p99 30 ms, max 30 ms"


def came(key: str, at_ms: int, action: str = "trigger") -> Entry:
    event: dict[str, Any] = {"dedup_key": key, "event_action": action}
    return Entry(at_ms, "accept", 202, "opened", True, [], event)
