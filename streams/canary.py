"""The canary: a record that the monitor sends itself, through the topic that users write to.

    alerts -> outcomes -> ingest (a cell of its own) -> partials -> windows -> alerts sees it again

It is a result of its own, and its cell has no finals: nothing that adds up outcomes counts it.
"""

from __future__ import annotations

import msgspec

from streams import settings
from streams.carrier import Told
from streams.records import CANARY, UNKNOWN, Result, SeriesKey, Status
from streams.source import UNKNOWN_BIT, Kind, Source

KEY = SeriesKey(CANARY, CANARY, CANARY, CANARY, "")
CONFIG = settings.Source(name=CANARY, format="canonical", codes="twilio", lookup=False)


class CanarySource(Source):
    """The source of all canaries: whatever one says, it counts as a canary."""

    def kind(
        self, status: str, code: str | int | None, carrier: str | Told | None, region: str | None
    ) -> Kind:
        return Kind(Result.CANARY, Status.UNKNOWN, UNKNOWN_BIT, KEY, False, UNKNOWN, UNKNOWN)


def value(number: int, received_ms: int) -> tuple[str, bytes]:
    """Message id and record of the canary of this moment, in the format `canonical`."""
    message_id = f"canary-{received_ms}-{number}"
    record = {"message_id": message_id, "status": Status.UNKNOWN.value, "event_time_ms": received_ms}
    return message_id, msgspec.json.encode(record)


def headers(received_ms: int) -> dict[str, bytes]:
    """The headers of its Kafka record."""
    return {"source": CANARY.encode(), "received_ms": b"%d" % received_ms}
