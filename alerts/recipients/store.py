"""Recipients in Redis: merged by a script, a bucket at a time, by one process at a time.

Redis may lose all of it, or its last seconds: `restore` and every merge tell (`Lost`), and whoever
reads the topics begins anew. Errors of Redis itself are its own (`redis.exceptions.RedisError`).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from struct import Struct
from typing import Any, NamedTuple

import numpy as np

from alerts.recipients import names
from alerts.recipients.buckets import KEEP_S, LIVE_S, SLICE, Buckets
from alerts.recipients.entry import Seen
from alerts.recipients.names import BUCKETS, I64, U64, Known, place
from streams.records import FailedRecipient
from streams.settings import Recipients

_FAILURE, _DELIVERY = Struct("<6sII"), Struct("<6sI")
_ANSWER = Struct("<IBBBI")
_LISTED, _REPEATED, _REFUSED, _ENTERED = 1, 2, 4, 8
_NOBODY = (np.zeros(0, np.uint64), np.zeros(0, np.int64))


class Lost(Exception):
    """What was kept is not what should be there: it must be built again from the topics."""


class Merged(NamedTuple):
    """What became of a batch."""

    seen: list[Seen]
    """In the order of the failures."""
    entered: list[int]
    """Places of the failures by which a recipient came to the list."""
    refused: int
    """New recipients that there was no room for."""


class RecipientStore(Buckets):
    """What keeps them."""

    def __init__(self, url: str, key_id: str, config: Recipients, prefix: str = names.PREFIX) -> None:
        super().__init__(url, key_id, config, prefix)
        self._most = config.max_tracked
        self._merge = self._redis.register_script(_script("merge.lua"))
        self._sweep = self._redis.register_script(_script("sweep.lua"))
        self._known = self._next_known = Known(self._most)
        self._tracked, self._listed = np.zeros(BUCKETS, np.int64), np.zeros(BUCKETS, np.int64)
        self._round: list[int] = []
        self._round_of: list[int] = []
        """Buckets that are still to be swept in this round, and all of it."""
        self.sequence = 0
        """Batches merged since it was built: what Redis must count as well."""
        self.let_go = 0
        """Entries let go of by `sweep`, since the store began."""

    @property
    def tracked(self) -> int:
        """Entries: recipients by kind of failures, for whom something is kept."""
        return int(self._tracked.sum())

    @property
    def listed(self) -> int:
        """Recipients on the list, as of the last sweep and all that was merged since."""
        return int(self._listed.sum())

    # -- its life ------------------------------------------------------------------------------

    def restore(self, sequence: int, now_s: int) -> bool:
        """Whether Redis holds all that it held after batch `sequence`; then it is ready for more."""
        made_of, found = self._redis.hmget(self._state, "made_of", "sequence")
        if made_of != self._made_of or int(found or 0) < sequence:
            return False
        self.sequence = int(found or 0)
        self._round = []
        self.sweep(1.0, now_s)
        return True

    def clear(self) -> None:
        """Empties it, to be built anew; until `built` it counts as lost."""
        self._redis.delete(self._state, self._growth)
        found = self._buckets()
        for start in range(0, len(found), SLICE):
            self._redis.unlink(*map(self._key, found[start : start + SLICE]))
        self._known = self._next_known = Known(self._most)
        self._tracked[:], self._listed[:], self._round, self.sequence = 0, 0, [], 0

    def built(self) -> None:
        """All that the topics hold is in."""
        self._redis.hset(self._state, "made_of", self._made_of)

    # -- what comes ----------------------------------------------------------------------------

    def merge(self, batch: Sequence[FailedRecipient]) -> list[Seen]:
        """Takes failures in, each as often as it likes to come; what is known of each, in their order.

        Raises Lost."""
        return self.take(batch).seen

    def take(
        self,
        failed: Sequence[FailedRecipient],
        delivered: tuple[U64, I64] = _NOBODY,
        *,
        building: bool = False,
    ) -> Merged:
        """Takes failures and deliveries (hashes, epoch seconds) in, as if they had come in order of time.

        Raises Lost, unless it is `building`: then nothing is there to be lost yet."""
        hashes = np.array([int(f.recipient, 16) for f in failed], np.uint64)
        self._add_known(hashes)
        rows = _Rows()
        for i, (recipient, one) in enumerate(zip(hashes.tolist(), failed, strict=True)):
            where = place(recipient)
            name = where.name if one.outcome_class in self._classes else where.others
            told = _FAILURE.pack(name, one.received_ms // 1000, int(one.fingerprint, 16) & 0xFFFF_FFFF)
            rows.fail(where.bucket, i, told)
        passed = self._known.has(delivered[0])
        for recipient, at_s in zip(*(column[passed].tolist() for column in delivered), strict=True):
            where = place(recipient)
            rows.deliver(where.bucket, _DELIVERY.pack(where.name, at_s))
        return self._run(rows, len(failed), building)

    def _run(self, rows: _Rows, failures: int, building: bool) -> Merged:
        pipe = self._redis.pipeline(transaction=False)
        pipe.hget(self._state, "made_of")
        room = max(0, self._most - self.tracked)
        for bucket, (_, failed, delivered) in rows.buckets.items():
            own = b"".join(failed), b"".join(delivered)
            given = (self.limits.kept, self.limits.within_s, room, LIVE_S, *own)
            self._merge([self._key(bucket)], given, client=pipe)
        pipe.hincrby(self._state, "sequence", 1)
        made_of, *answers, sequence = pipe.execute()
        if not building and (made_of != self._made_of or sequence <= self.sequence):
            raise Lost("Redis has lost what it kept of recipients")
        self.sequence = int(sequence)
        return self._merged(rows, answers, failures)

    def _merged(self, rows: _Rows, answers: Sequence[Any], failures: int) -> Merged:
        told: list[tuple[int, ...]] = [()] * failures
        for (bucket, (places, _, _)), (packed, tracked, change) in zip(
            rows.buckets.items(), answers, strict=True
        ):
            for i, answer in zip(places, _ANSWER.iter_unpack(packed), strict=True):
                told[i] = answer
            self._tracked[bucket] = tracked
            self._listed[bucket] += change
        seen = [
            Seen(first_s, attempt, run, bool(flags & _LISTED), previous_s or None, bool(flags & _REPEATED))
            for first_s, attempt, run, flags, previous_s in told
        ]
        entered = [i for i, answer in enumerate(told) if answer[3] & _ENTERED]
        return Merged(seen, entered, sum(bool(answer[3] & _REFUSED) for answer in told))

    # -- what goes -----------------------------------------------------------------------------

    def sweep(self, share: float, now_s: int) -> None:
        """Lets go of what is too old, in the next `share` of all buckets; counts the others."""
        if not self._round:
            self._begin_round()
        due, self._round = _cut(self._round, max(1, round(share * len(self._round_of))))
        for start in range(0, len(due), SLICE):
            self._sweep_some(due[start : start + SLICE], now_s)
        if not self._round:
            self._known = self._next_known

    def _begin_round(self) -> None:
        """What is not there any more counts as nothing."""
        self._round = self._round_of = self._buckets()
        gone = np.ones(BUCKETS, np.bool_)
        gone[self._round] = False
        self._tracked[gone], self._listed[gone] = 0, 0
        self._next_known = Known(self._most)

    def _sweep_some(self, buckets: Sequence[int], now_s: int) -> None:
        given = (self.limits.kept, self.limits.within_s, now_s, now_s - KEEP_S)
        answers = self._sweep([*map(self._key, buckets)], given)
        for bucket, (left, listed, gone) in zip(buckets, answers, strict=True):
            self._next_known.add(names.recipients(bucket, left))
            self._tracked[bucket], self._listed[bucket] = len(left) // names.NAME_BYTES, listed
            self.let_go += gone

    def _add_known(self, hashes: U64) -> None:
        self._known.add(hashes)
        self._next_known.add(hashes)


class _Rows:
    """What goes to each bucket: places of failures, failures, deliveries."""

    def __init__(self) -> None:
        self.buckets: dict[int, tuple[list[int], list[bytes], list[bytes]]] = {}

    def fail(self, bucket: int, at: int, told: bytes) -> None:
        places, failed, _ = self.buckets.setdefault(bucket, ([], [], []))
        places.append(at)
        failed.append(told)

    def deliver(self, bucket: int, told: bytes) -> None:
        self.buckets.setdefault(bucket, ([], [], []))[2].append(told)


def _cut(rows: list[int], n: int) -> tuple[list[int], list[int]]:
    return rows[:n], rows[n:]


def _script(name: str) -> str:
    return resources.files("alerts.recipients").joinpath(name).read_text()
