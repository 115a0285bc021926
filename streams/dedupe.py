"""Once per message: which statuses of a message were seen within the horizon.

One table a source partition: 64-bit fingerprints in buckets of 8 slots (a cache line), beside
each the second of its last sighting and a 16-bit mask of the statuses seen. 12 bytes a slot, at
most 3 of 4 slots in use. Everything works on whole batches; the Python work per record is nil.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
U16 = NDArray[np.uint16]

SLOTS = 8
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FULLEST = 0.75
ROOMY = 0.50
MIN_BUCKETS = 128
EPOCH_SPAN_S = 60_000  # sightings are kept as 16-bit seconds after a base
MOST_SPAN_S = 10_000  # a batch of a sparse partition may cover days: it is worked in halves
MOST_SPILLED = 0.4  # a search passes spilled buckets; a rebuild forgets which they were
OPEN_ROOM = 0.85  # of all slots, what must be in use or free in unspilled buckets: else no search ends
MOST_ROUNDS = 8  # one id may fill a batch: what is left after these is taken one by one


class SeenIds:
    """Fingerprints seen within `horizon_s` of the clock that the caller passes with each record.

    A sighting is forgotten once its second lies more than `horizon_s` before the clock, or
    earlier when more than `max_ids` would be kept: then `horizon_in_force_s` says how far back
    the memory still reaches.
    """

    def __init__(self, horizon_s: int, max_ids: int) -> None:
        self._horizon_s = horizon_s
        self._max_ids = max_ids
        self._oldest_kept_s = -(2**62)
        self._base_s = 0
        self._allocate(MIN_BUCKETS)

    def __len__(self) -> int:
        return self._used

    @property
    def nbytes(self) -> int:
        """Bytes held by the table."""
        return self._fps.nbytes + self._second.nbytes + self._mask.nbytes + self._spilled.nbytes

    def horizon_in_force_s(self, clock_s: int) -> int:
        """Seconds of memory at `clock_s`: the configured horizon, or less when the cap cut it."""
        return min(self._horizon_s, max(0, clock_s - self._oldest_kept_s))

    def see(self, fps: U64, at_s: I64, clock_s: I64, stage: U16) -> U16:
        """Records sightings in order; returns for each the mask seen before it (0: not seen).

        All arrays have the length of the batch: fingerprint, receipt second, the partition's
        running clock in seconds (never falling), and the one bit of the status.
        """
        if len(fps) > 1 and (clock_s[-1] - clock_s[0] > MOST_SPAN_S or len(fps) > self._max_ids):
            half = len(fps) // 2
            parts = (slice(None, half), slice(half, None))
            return np.concatenate([self.see(fps[p], at_s[p], clock_s[p], stage[p]) for p in parts])
        if not len(fps):
            return np.zeros(0, np.uint16)
        fps = fps | (fps == 0)  # 0 marks a free slot
        self._make_room(len(fps), int(at_s.min()), int(clock_s[0]), int(clock_s[-1]))
        if _all_distinct(fps):
            return self._see_distinct(fps, at_s, clock_s, stage)
        before = np.zeros(len(fps), np.uint16)
        waiting = np.arange(len(fps))
        for _ in range(MOST_ROUNDS):
            first = _first_of_each(fps[waiting])
            now = waiting[first]
            before[now] = self._see_distinct(fps[now], at_s[now], clock_s[now], stage[now])
            if len(now) == len(waiting):
                return before
            waiting = np.delete(waiting, first)
        before[waiting] = self._see_one_by_one(fps[waiting], at_s[waiting], clock_s[waiting], stage[waiting])
        return before

    def _see_distinct(self, fps: U64, at_s: I64, clock_s: I64, stage: U16) -> U16:
        slot, found = self._place(fps)
        second = (at_s - self._base_s).clip(0, 65_535)
        old_second = self._second[slot].astype(np.int64)
        alive = found & (old_second + self._base_s >= clock_s - self._horizon_s)
        before = np.where(alive, self._mask[slot], np.uint16(0))
        self._mask[slot] = before | stage
        self._second[slot] = np.where(alive, np.maximum(old_second, second), second)
        return before

    def _see_one_by_one(self, fps: U64, at_s: I64, clock_s: I64, stage: U16) -> list[int]:
        distinct, which = np.unique(fps, return_inverse=True)
        slot, _ = self._place(distinct)
        mask = self._mask[slot].tolist()
        last_s = (self._second[slot].astype(np.int64) + self._base_s).tolist()
        before = []
        columns = (which.tolist(), at_s.tolist(), clock_s.tolist(), stage.tolist())
        for i, at, clock, bit in zip(*columns, strict=True):
            alive = last_s[i] >= clock - self._horizon_s
            before.append(mask[i] if alive else 0)
            mask[i] = before[-1] | bit
            last_s[i] = max(last_s[i], at) if alive else at
        self._mask[slot] = mask
        self._second[slot] = (np.array(last_s) - self._base_s).clip(0, 65_535)
        return before

    def _place(self, fps: U64) -> tuple[I64, NDArray[np.bool_]]:
        """Slot of each of `fps` (distinct), new ones put in; and whether it was there already."""
        bucket = self._home(fps)
        rows = self._table[bucket]
        found, at = _first_true(rows == fps[:, None])
        has_room, free = _first_true(rows == 0)
        ends = ~found & has_room & ~self._spilled[bucket]
        slot = bucket * SLOTS + np.where(found, at, free)
        self._fps[slot[ends]] = fps[ends]
        won = ends.copy()
        won[ends] = self._fps[slot[ends]] == fps[ends]  # of several that chose one slot the last stands
        self._used += int(won.sum())
        self._spilled[bucket[~found & ~has_room]] = True
        todo = np.flatnonzero(~(found | won))
        further = (bucket[todo] + 1) % len(self._table)
        self._search(fps, todo, np.where(ends[todo], bucket[todo], further), slot, found)
        return slot, found

    def _search(self, fps: U64, todo: I64, bucket: I64, slot: I64, found: NDArray[np.bool_]) -> None:
        """Places those that their home bucket did not settle, going on from `bucket`."""
        while len(todo):
            rows = self._table[bucket]
            here, at = _first_true(rows == fps[todo, None])
            slot[todo[here]] = bucket[here] * SLOTS + at[here]
            found[todo[here]] = True
            absent = ~here
            todo, bucket = self._put(fps, todo[absent], bucket[absent], rows[absent], slot)

    def _put(self, fps: U64, todo: I64, bucket: I64, rows: U64, slot: I64) -> tuple[I64, I64]:
        """Puts in what ends its search here; returns what must look further, and where."""
        has_room, at = _first_true(rows == 0)
        ends = has_room & ~self._spilled[bucket]
        place = bucket[ends] * SLOTS + at[ends]
        mine = fps[todo[ends]]
        self._fps[place] = mine
        won = self._fps[place] == mine  # of several that chose one slot the last write stands
        slot[todo[ends][won]] = place[won]
        self._used += int(won.sum())
        self._spilled[bucket[~has_room]] = True
        onward = ~ends
        again, where = todo[ends][~won], bucket[ends][~won]
        further = (bucket[onward] + 1) % len(self._table)
        return np.concatenate([again, todo[onward]]), np.concatenate([where, further])

    def _home(self, fps: U64) -> I64:
        buckets = np.uint64(len(self._table))
        mixed = (fps * GOLDEN) >> np.uint64(32)  # spreads fingerprints that differ in few bits
        return ((mixed * buckets) >> np.uint64(32)).astype(np.int64)

    def _make_room(self, incoming: int, earliest_s: int, clock_s: int, last_clock_s: int) -> None:
        """`clock_s` is the clock of the batch's first record: what it forgets, all may forget."""
        if self._used == 0:
            self._base_s = self._base_at(min(earliest_s, clock_s))
        aged_out = last_clock_s - self._base_s > EPOCH_SPAN_S
        if aged_out or self._used + incoming > FULLEST * self._fps.size:
            self._sweep(clock_s, incoming, rebase=aged_out)

    def _base_at(self, clock_s: int) -> int:
        """Just past the horizon: what is older than the base is kept as the base, and is forgotten."""
        return max(clock_s - self._horizon_s - 1, 0)

    def _sweep(self, clock_s: int, incoming: int, *, rebase: bool) -> None:
        """Forgets what is past the horizon; grows, shrinks or moves the base where needed."""
        oldest = clock_s - self._horizon_s
        used = self._fps != 0
        keep = used & (self._second.astype(np.int64) + self._base_s >= oldest)
        kept = int(keep.sum())
        if kept + incoming > self._max_ids:
            oldest = self._cut(keep, kept + incoming - self._max_ids)
            keep &= self._second.astype(np.int64) + self._base_s >= oldest
            kept = int(keep.sum())
            self._oldest_kept_s = oldest
        crowded = kept + incoming > FULLEST * 0.9 * self._fps.size
        roomy = kept + incoming < 0.2 * self._fps.size and len(self._table) > MIN_BUCKETS
        room = kept + int((~keep).reshape(self._table.shape)[~self._spilled].sum())
        full = room < OPEN_ROOM * self._fps.size or self._spilled.mean() > MOST_SPILLED
        if rebase or crowded or roomy or full:
            self._rebuild(keep, kept + incoming, self._base_at(clock_s))
        else:
            self._fps[~keep] = 0
            self._used = kept

    def _cut(self, keep: NDArray[np.bool_], surplus: int) -> int:
        """The second before which sightings must go so that at least `surplus` of them do."""
        seconds = np.sort(self._second[keep])
        at = min(surplus + len(seconds) // 10, len(seconds) - 1)
        return int(seconds[at]) + 1 + self._base_s

    def _rebuild(self, keep: NDArray[np.bool_], wanted: int, base_s: int) -> None:
        fps, mask = self._fps[keep], self._mask[keep]
        at_s = self._second[keep].astype(np.int64) + self._base_s
        self._base_s = base_s
        self._allocate(max(MIN_BUCKETS, int(wanted / ROOMY / SLOTS) + 1))
        home = self._home(fps)
        order = np.argsort(home)
        rank = np.arange(len(order)) - np.searchsorted(home[order], home[order])
        slot = np.empty(len(fps), np.int64)
        fits = rank < SLOTS
        slot[order[fits]] = home[order[fits]] * SLOTS + rank[fits]
        self._fps[slot[order[fits]]] = fps[order[fits]]
        self._used += int(fits.sum())
        slot[order[~fits]], _ = self._place(fps[order[~fits]])
        self._mask[slot] = mask
        self._second[slot] = (at_s - self._base_s).clip(0, 65_535)

    def _allocate(self, buckets: int) -> None:
        self._fps = np.zeros(buckets * SLOTS, np.uint64)
        self._table = self._fps.reshape(buckets, SLOTS)
        self._second = np.zeros(buckets * SLOTS, np.uint16)
        self._mask = np.zeros(buckets * SLOTS, np.uint16)
        self._spilled = np.zeros(buckets, np.bool_)
        self._used = 0


def _all_distinct(values: U64) -> bool:
    ordered = np.sort(values)
    return not (ordered[1:] == ordered[:-1]).any()


def _first_of_each(values: U64) -> I64:
    """Indices of the first of each distinct value, rising."""
    _, first = np.unique(values, return_index=True)
    return np.sort(first)


def _first_true(rows: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], I64]:
    """Per row of SLOTS flags: is any true, and the index of the first that is (else SLOTS)."""
    words = np.ascontiguousarray(rows).view(np.uint64)[:, 0]  # a byte a flag, little-endian
    below = (words & (~words + np.uint64(1))) - np.uint64(1)
    return words != 0, (np.bitwise_count(below) >> 3).astype(np.int64)
