"""What is known of one recipient: its newest delivery and its newest failures. Pure.

    delivered_s:  the newest of all                              (a maximum)
    failures:     by message, each at its newest failure receipt; of these the newest few

Both parts only ever grow, whatever the order in which receipts come and however often each comes, so
`merge` is commutative, associative and idempotent: what is read twice counts once. What decides is
derived: the run is what failed after `delivered_s` and within the last days. `merge.lua` is the same
once more, for Redis; `tests/integration` holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

DAY_S = 86_400
MOST_IN_A_ROW = 4
"""Five failures are 64 bytes, the most that Redis keeps in its small form."""
MOST_APART_S = 2**24 - 1
"""Between a message's first and newest failure, as it is kept: 194 days."""
_FAILURE = Struct("<III")
_DELIVERED = Struct("<I")
_LISTED = 0x80


class Limits(NamedTuple):
    """More than `max_in_a_row` messages failed within `within_s` seconds puts a recipient on the list."""

    max_in_a_row: int = 3
    within_s: int = 7 * DAY_S

    @property
    def kept(self) -> int:
        """Failures that tell whether there are too many."""
        return self.max_in_a_row + 1


class Failure(NamedTuple):
    """A message that failed. Seconds are receipt times, epoch; what is newest sorts last."""

    last_s: int
    """The newest failure receipt: a message counts once, when it was last seen to fail."""
    fingerprint: int
    """32 bits."""
    first_s: int
    attempt: int
    """Its place in the run when it was first seen, from 1."""
    listed: bool
    """Whether the recipient was on the list by then."""


class Entry(NamedTuple):
    """One recipient, for one kind of failures: those that count for the list, or the others."""

    delivered_s: int = 0
    failures: tuple[Failure, ...] = ()
    """The newest `Limits.kept`, oldest first, each of another message."""


class Seen(NamedTuple):
    """What the store knows of a failed message, in the order of the batch that was merged."""

    first_s: int
    """Epoch second of the first failure of this message."""
    attempt: int
    """1-based place of the message in its recipient's run since the last delivery, as first decided; it ends
    at two more than `recipients.max_in_a_row`."""
    run: int
    """Length of the run now; it ends at one more than `recipients.max_in_a_row`."""
    listed: bool
    """Whether the recipient was on the list with this message, as first decided."""
    previous_s: int | None
    """Epoch second of the failure before it in the run."""
    repeated: bool
    """Whether the message had failed before."""


def run(entry: Entry, at_s: int, limits: Limits) -> int:
    """Messages in a row that failed since the last delivery, of those in the days before `at_s`."""
    since_s = max(entry.delivered_s, at_s - limits.within_s)
    return sum(f.last_s > since_s for f in entry.failures)


def is_listed(entry: Entry, at_s: int, limits: Limits) -> bool:
    return run(entry, at_s, limits) > limits.max_in_a_row


def merge(a: Entry, b: Entry, limits: Limits) -> Entry:
    """Everything that either knows."""
    found = {f.fingerprint: f for f in a.failures}
    for f in b.failures:
        found[f.fingerprint] = _same(found.get(f.fingerprint, f), f)
    return Entry(max(a.delivered_s, b.delivered_s), _newest(found.values(), limits))


def delivered(entry: Entry, at_s: int) -> Entry:
    """After a delivery at `at_s`."""
    return entry._replace(delivered_s=max(entry.delivered_s, at_s))


def failed(
    entry: Entry, at_s: int, fingerprint: int, limits: Limits, *, listed: bool = False
) -> tuple[Entry, Seen]:
    """After a failure at `at_s` of the message, and what is to be told of it. `listed`: whether the
    recipient is on the list anyhow."""
    known = next((f for f in entry.failures if f.fingerprint == fingerprint), None)
    one = known or Failure(at_s, fingerprint, at_s, 1, listed)
    one = one._replace(last_s=max(one.last_s, at_s), first_s=min(one.first_s, at_s))
    others = [f for f in entry.failures if f.fingerprint != fingerprint]
    since_s = max(entry.delivered_s, one.last_s - limits.within_s)
    before = [f.last_s for f in others if f < one and f.last_s > since_s]
    if known is None:
        attempt = len(before) + 1
        one = one._replace(attempt=attempt, listed=listed or attempt > limits.max_in_a_row)
    after = entry._replace(failures=_newest([*others, one], limits))
    previous_s = max(before, default=None)
    now = run(after, at_s, limits)
    return after, Seen(one.first_s, one.attempt, now, one.listed, previous_s, known is not None)


def newest_s(entry: Entry) -> int:
    """Epoch second of the newest failure; 0 without any."""
    return entry.failures[-1].last_s if entry.failures else 0


def pack(entry: Entry) -> bytes:
    """As it is stored: little-endian words of 32 bits, `delivered_s`, then three a failure: newest
    second, fingerprint, and seconds back to the first (24 bits) with `listed` and the attempt (8)."""
    failures = b"".join(
        _FAILURE.pack(
            f.last_s,
            f.fingerprint,
            min(f.last_s - f.first_s, MOST_APART_S) << 8 | f.attempt | (_LISTED if f.listed else 0),
        )
        for f in entry.failures
    )
    return _DELIVERED.pack(entry.delivered_s) + failures


def unpack(stored: bytes) -> Entry:
    """The entry of `pack`."""
    failures = tuple(
        Failure(last_s, fingerprint, last_s - (told >> 8), told & 0x7F, bool(told & _LISTED))
        for last_s, fingerprint, told in _FAILURE.iter_unpack(stored[_DELIVERED.size :])
    )
    return Entry(_DELIVERED.unpack_from(stored)[0], failures)


def _same(a: Failure, b: Failure) -> Failure:
    """One message, known twice."""
    attempt, listed = min((a.attempt, a.listed), (b.attempt, b.listed))
    return Failure(max(a.last_s, b.last_s), a.fingerprint, min(a.first_s, b.first_s), attempt, listed)


def _newest(failures: Iterable[Failure], limits: Limits) -> tuple[Failure, ...]:
    return tuple(sorted(failures)[-limits.kept :])
