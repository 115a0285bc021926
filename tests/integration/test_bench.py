"""`carrier-health bench` as a user runs it, small, on the shared Kafka. No timing is asserted."""

import json
import subprocess
import sys

import pytest
from confluent_kafka.admin import AdminClient

from streams.embedded import EmbeddedKafka

RECORDS = 20_000
ROWS = {
    "raw_consumer": RECORDS,
    "ingest_dense": RECORDS,
    "ingest_dense_twilio_json": 8_000,
    "ingest_dense_twilio_form": 8_000,
    "ingest_dense_twilio_event": 8_000,
    "ingest_dense_smpp": 8_000,
    "ingest_dense_smpp_text": 8_000,
    "ingest_sparse": 12_000,
    "windows": RECORDS,
    "windows_sparse": 12_000,
    "end_to_end": RECORDS,
}


SOME = {name: ROWS[name] for name in ("raw_consumer", "ingest_dense", "windows", "end_to_end")}


def measured(kafka: EmbeddedKafka, rows: dict[str, int], *more: str) -> None:
    """Runs it small. Exit code 0 says that every stage's counts were those that were written."""
    options = ["--json", "--records", str(RECORDS), "--bootstrap", kafka.bootstrap_servers, *more]
    run = subprocess.run(
        [sys.executable, "-m", "alerts.cli", "bench", *options], capture_output=True, text=True, timeout=550
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told.keys() == {*rows, "machine"}
    assert {name: told[name]["records"] for name in rows} == rows
    for name in rows:
        row = told[name]
        assert min(row["records_per_cpu_s"], row["records_per_wall_s"], row["peak_rss_mb"]) > 0, name
        assert ("ratio_to_raw" in row) == name.startswith("ingest")
    assert told["machine"]["cores"] >= 1
    assert "ingest_dense: 20,000 records" in run.stderr
    topics = AdminClient({"bootstrap.servers": kafka.bootstrap_servers}).list_topics(timeout=10).topics
    assert not [name for name in topics if name.startswith("bench-")]


@pytest.mark.timeout(600)
def test_a_part_of_it_counts_every_record_and_leaves_nothing_behind(kafka: EmbeddedKafka) -> None:
    measured(kafka, SOME, "--only", "dense", "--only", "end-to-end")


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_all_of_it_counts_every_record_and_leaves_nothing_behind(kafka: EmbeddedKafka) -> None:
    measured(kafka, ROWS)


def test_a_broker_that_is_not_there_is_named() -> None:
    options = ["--records", "1000", "--bootstrap", "127.0.0.1:1"]
    run = subprocess.run(
        [sys.executable, "-m", "alerts.cli", "bench", *options], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 1
    assert "127.0.0.1:1" in run.stderr
    assert "Traceback" not in run.stderr
