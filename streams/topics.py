"""The topics: one table that creation, checks and documentation are made from."""

from __future__ import annotations

from typing import NamedTuple

DAY_MS = 86_400_000


class Topic(NamedTuple):
    """One topic of the monitor. `retention_ms` is None for compacted topics."""

    name: str
    partitions: int
    cleanup: str
    retention_ms: int | None
    key: str
    value: str
    writer: str
    max_message_bytes: int = 1_048_588


def _delete(days: int) -> tuple[str, int]:
    return "delete", days * DAY_MS


OUTCOMES, PARTIALS, WINDOWS = "outcomes", "partials", "windows"
DETECTOR_STATE, INCIDENTS, INCIDENT_EVENTS = "detector-state", "incidents", "incident-events"
INCIDENT_COMMANDS, SILENCES = "incident-commands", "silences"
FAILED_RECIPIENTS, DELIVERED_RECIPIENTS = "failed-recipients", "delivered-recipients"
RETRY_ADVICE, DEAD_LETTERS = "retry-advice", "dead-letters"

LARGE_BYTES = 12 * 1024 * 1024
"""Record limit of the two topics that carry what users send: a 10 MB value must reach the dead letters."""

TOPICS = (
    Topic(
        OUTCOMES,
        12,
        *_delete(7),
        "message id",
        "a provider's record as it came",
        "gateway, users, alerts (canary)",
        LARGE_BYTES,
    ),
    Topic(PARTIALS, 1, *_delete(7), "-", "counts folded by ingest: ranges, clocks, tallies, cells", "ingest"),
    Topic(WINDOWS, 1, *_delete(30), "bucket", "one closed bucket, part i of n, columnar", "windows"),
    Topic(
        DETECTOR_STATE,
        1,
        "compact",
        None,
        "shard",
        "snapshot of the charts with its bucket; a copy of each hour for 30 d",
        "alerts",
    ),
    Topic(INCIDENTS, 1, "compact", None, "incident key", "newest whole state of an incident", "alerts"),
    Topic(
        INCIDENT_EVENTS,
        1,
        *_delete(400),
        "incident key",
        "every transition and decision, frozen evidence",
        "alerts",
    ),
    Topic(
        INCIDENT_COMMANDS,
        1,
        *_delete(30),
        "incident key",
        "what people ask for",
        "CLI, pages, gateway",
    ),
    Topic(SILENCES, 1, "compact", None, "silence id", "matchers, author, reason, end", "alerts"),
    Topic(FAILED_RECIPIENTS, 12, *_delete(8), "recipient hash", "failed outcomes by hash", "ingest"),
    Topic(
        DELIVERED_RECIPIENTS,
        12,
        *_delete(8),
        "-",
        "to whom was delivered, by hash, a block a flush; whom to forget",
        "ingest, CLI",
    ),
    Topic(RETRY_ADVICE, 12, *_delete(7), "message id", "advice per failed message", "alerts"),
    Topic(
        DEAD_LETTERS,
        4,
        *_delete(14),
        "as it came",
        "the untouched bytes, reason in the headers",
        "ingest, gateway",
        LARGE_BYTES,
    ),
)
