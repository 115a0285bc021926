"""What most formats take out of a record."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from streams.records import LABEL


class Record(msgspec.Struct, gc=False):
    """A `Reading` (streams/records.py) of a provider that neither tells when we received it nor
    hashes the recipient."""

    message_id: str
    status: str
    code: str | int | None = None
    to: str | None = None
    sender: str | None = None
    carrier: str | None = None
    region: str | None = None
    traffic_class: str | None = None
    sent_time_ms: int | None = None
    provider_time_ms: int | None = None
    received_ms: ClassVar[None] = None
    recipient: ClassVar[None] = None


def network_or_label(network: str | None, label: str | None) -> str | None:
    """A reading's carrier: the provider's word, else the user's own."""
    return network or (LABEL + label if label else None)
