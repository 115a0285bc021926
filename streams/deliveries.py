"""Whom something was delivered to, since the last flush: what ends a run of failures."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.privacy import RecipientHasher
from streams.records import DeliveredRecipients, Reading

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

MOST_IN_A_RECORD = 40_000
"""640 kB of base64, well below what a record may have."""


class Deliveries:
    """Collects keyed hashes and receipt times by whole arrays; the Python work a record is one name."""

    def __init__(self, hasher: RecipientHasher) -> None:
        self._hasher = hasher
        self._hashes: list[U64] = []
        self._seconds: list[I64] = []

    def add(self, readings: Sequence[Reading], at: I64, receipt_s: I64) -> None:
        """Of the readings at these places, with epoch seconds of receipt; those without a number are not."""
        numbers = [readings[i].to for i in at.tolist()]
        if not all(numbers):
            told = [i for i, number in enumerate(numbers) if number]
            numbers, receipt_s = [numbers[i] for i in told], receipt_s[told]
        if numbers:
            self._hashes.append(self._hasher.many(numbers))
            self._seconds.append(receipt_s)

    def records(self) -> list[DeliveredRecipients]:
        """All of it, in records that fit a topic."""
        if not self._hashes:
            return []
        hashes, seconds = np.concatenate(self._hashes), np.concatenate(self._seconds)
        starts = range(0, len(hashes), MOST_IN_A_RECORD)
        cuts = [slice(start, start + MOST_IN_A_RECORD) for start in starts]
        return [packed(self._hasher.key_id, hashes[cut], seconds[cut]) for cut in cuts]

    def clear(self) -> None:
        self._hashes, self._seconds = [], []


def packed(key_id: str, hashes: U64, seconds: I64, *, forget: bool = False) -> DeliveredRecipients:
    """Hashes and epoch seconds, one each, as a record."""
    return DeliveredRecipients(
        key_id,
        base64.b64encode(hashes.astype("<u8").tobytes()).decode(),
        base64.b64encode(seconds.astype("<u4").tobytes()).decode(),
        forget,
    )


def unpacked(record: DeliveredRecipients) -> tuple[U64, I64]:
    """Hashes and epoch seconds of a record. Raises ValueError for one that nobody of us wrote."""
    hashes = np.frombuffer(base64.b64decode(record.recipients), "<u8")
    seconds = np.frombuffer(base64.b64decode(record.received_s), "<u4").astype(np.int64)
    if len(hashes) != len(seconds):
        raise ValueError(f"{len(hashes)} recipients, but {len(seconds)} receipt times")
    return hashes, seconds
