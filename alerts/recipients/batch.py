"""What records of the two topics say, and which of it can be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from alerts.recipients.names import I64, U64
from alerts.recipients.order import Item
from streams.deliveries import unpacked
from streams.label_values import Ignored
from streams.metrics import Metrics
from streams.records import DeliveredRecipients, FailedRecipient


class Batch(NamedTuple):
    """What is to be merged."""

    items: list[Item]
    """The records of the failures."""
    failed: list[FailedRecipient]
    delivered: tuple[U64, I64]
    """Hashes and epoch seconds."""
    forget: list[tuple[list[int], int]]
    """Hashes, and the epoch second up to which they are to be forgotten."""


class Reader:
    """Reads records made with one key: those of another are about nobody that is known here."""

    def __init__(self, key_id: str, metrics: Metrics) -> None:
        self._key_id, self._metrics = key_id, metrics
        self._failed = msgspec.json.Decoder(FailedRecipient)
        self._delivered = msgspec.json.Decoder(DeliveredRecipients)

    def read(self, items: Sequence[Item], is_failure: Callable[[Item], bool]) -> Batch:
        """In the order of the items. What can not be read is counted and left out."""
        batch, hashes, seconds = Batch([], [], (np.zeros(0, np.uint64), np.zeros(0, np.int64)), []), [], []
        for item in items:
            try:
                if is_failure(item):
                    self._add_failure(batch, item)
                    continue
                found = self._delivery(batch, item)
            except (ValueError, msgspec.MsgspecError):
                self._metrics.recipients_ignored_total.labels(Ignored.MALFORMED).inc()
                continue
            if found is not None:
                hashes.append(found[0])
                seconds.append(found[1])
        if not hashes:
            return batch
        return batch._replace(delivered=(np.concatenate(hashes), np.concatenate(seconds)))

    def _add_failure(self, batch: Batch, item: Item) -> None:
        one = self._failed.decode(item.value)
        if self._is_ours(one.key_id):
            int(one.recipient, 16), int(one.fingerprint, 16)
            batch.failed.append(one)
            batch.items.append(item)

    def _delivery(self, batch: Batch, item: Item) -> tuple[U64, I64] | None:
        record = self._delivered.decode(item.value)
        if not self._is_ours(record.key_id):
            return None
        hashes, seconds = unpacked(record)
        if not record.forget:
            return hashes, seconds
        batch.forget.append((hashes.tolist(), int(seconds.max(initial=0))))
        return None

    def _is_ours(self, key_id: str) -> bool:
        if key_id != self._key_id:
            self._metrics.recipients_ignored_total.labels(Ignored.OTHER_KEY).inc()
        return key_id == self._key_id
