"""Failed outcomes, each with its recipient as a keyed hash."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from streams.fold import MAX_SENDER_LENGTH
from streams.networks.names import LIKE_A_NUMBER
from streams.privacy import RecipientHasher
from streams.records import FailedRecipient, Reading, SeriesKey

MAX_ID_LENGTH = 256


class Failures:
    """Collects what failed since the last flush."""

    def __init__(self, key_id: str) -> None:
        """`key_id`: of the key that hashes recipients."""
        self._key_id = key_id
        self.records: list[FailedRecipient] = []

    def add(
        self, account: str, key: SeriesKey, reading: Reading, receipt_ms: int, recipient: int | None
    ) -> int:
        """Notes a counted failure; returns the 64 bits that it counts as among the recipients.

        Without a number every message stands for a recipient of its own, and nothing is noted.
        """
        fingerprint = _fingerprint(account, reading.message_id)
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
                self._key_id,
                _label(reading.traffic_class),
            )
        )
        return recipient


def recipients_of(hasher: RecipientHasher, readings: Sequence[Reading]) -> list[int | None]:
    """The hash of each reading's recipient; None where it names none."""
    hashes = hasher.many([r.to or "" for r in readings]).tolist()
    return [h if r.to else _given(r) for r, h in zip(readings, hashes, strict=True)]


def _label(traffic_class: str | None) -> str | None:
    """A user's word, bounded; one that could hold a number is none."""
    if traffic_class and LIKE_A_NUMBER.search(traffic_class):
        return None
    return traffic_class[:MAX_SENDER_LENGTH] if traffic_class else None


def _given(reading: Reading) -> int | None:
    given: str | None = getattr(reading, "recipient", None)
    return int(given, 16) if given else None


def _fingerprint(account: str, message_id: str) -> int:
    """64 bits of (account, message id), the same in every process."""
    digest = blake2b(f"{account}\n{message_id}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
