"""Failed outcomes, each with its recipient as a keyed hash."""

from __future__ import annotations

from hashlib import blake2b

from streams.fold import MAX_SENDER_LENGTH
from streams.privacy import RecipientHasher
from streams.records import FailedRecipient, Reading, SeriesKey

MAX_ID_LENGTH = 256


class Failures:
    """Collects what failed since the last flush."""

    def __init__(self, hasher: RecipientHasher) -> None:
        self._hasher = hasher
        self.records: list[FailedRecipient] = []

    def add(self, account: str, key: SeriesKey, reading: Reading, receipt_ms: int) -> int:
        """Notes a counted failure; returns the 64 bits that it counts as among the recipients.

        Without a number every message stands for a recipient of its own, and nothing is noted.
        """
        fingerprint = _fingerprint(account, reading.message_id)
        recipient = self._recipient(reading)
        if recipient is None:
            return fingerprint
        sender = reading.sender[:MAX_SENDER_LENGTH] if reading.sender else None
        self.records.append(
            FailedRecipient(
                f"{recipient:016x}",
                reading.message_id[:MAX_ID_LENGTH],
                f"{fingerprint:016x}",
                *key,
                sender,
                receipt_ms,
                self._hasher.key_id,
                reading.traffic_class,
            )
        )
        return recipient

    def _recipient(self, reading: Reading) -> int | None:
        if reading.to:
            return self._hasher(reading.to)
        given: str | None = getattr(reading, "recipient", None)
        return int(given, 16) if given else None


def _fingerprint(account: str, message_id: str) -> int:
    """64 bits of (account, message id), the same in every process."""
    digest = blake2b(f"{account}\n{message_id}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
