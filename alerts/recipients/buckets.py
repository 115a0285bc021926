"""What is kept of recipients in Redis, as whoever asks sees it. `store.py` keeps it.

Errors of Redis are its own (`redis.exceptions.RedisError`).
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from alerts.recipients import names
from alerts.recipients.entry import DAY_S, Entry, Limits, is_listed, newest_s, unpack
from alerts.recipients.growth import HOUR_S, WEEK_H, Campaign, Growth
from alerts.recipients.names import place
from streams.settings import Recipients

KEEP_S = 8 * DAY_S
"""After its newest failure an entry is let go of: the topics know no more of it either."""
LIVE_S = KEEP_S + DAY_S
TIMEOUT_S = 5.0
SLICE = 128
"""Buckets in one go: at 10 million recipients a script takes 10 ms for them."""
_SCANNED = 5_000
_FORM = 1
"""Of names and entries: what another version left is made anew."""


class Buckets:
    """Not thread-safe. `key_id`: of the hashes; those of another key are nobody's here."""

    def __init__(self, url: str, key_id: str, config: Recipients, prefix: str = names.PREFIX) -> None:
        retry = Retry(NoBackoff(), 0)
        self._redis: Redis = Redis.from_url(url, socket_timeout=TIMEOUT_S, retry=retry)
        self._prefix, self._state = f"{prefix}rcp:", f"{prefix}rcp:state"
        self._growth = f"{prefix}rcp:growth"
        self._classes = frozenset(config.classes)
        self.limits = Limits(config.max_in_a_row, int(config.within_days * DAY_S))
        self._made_of = f"{_FORM}/{key_id}/{self.limits.kept}/{','.join(sorted(self._classes))}".encode()

    def close(self) -> None:
        self._redis.close()

    @property
    def is_built(self) -> bool:
        """Whether it holds all that the topics hold."""
        return bool(self._redis.hget(self._state, "made_of") == self._made_of)

    def entries(self) -> Iterable[tuple[int, Entry]]:
        """Every recipient with failures that count, by hash, in no order."""
        found = self._buckets()
        for start in range(0, len(found), SLICE):
            some = found[start : start + SLICE]
            pipe = self._redis.pipeline(transaction=False)
            for bucket in some:
                pipe.hgetall(self._key(bucket))
            for bucket, fields in zip(some, pipe.execute(), strict=True):
                for name, stored in fields.items():
                    if names.counts(name):
                        yield names.recipient(bucket, name), unpack(stored)

    def on_list(self, now_s: int) -> Iterable[tuple[int, Entry]]:
        """Those that are on the list at `now_s`, epoch second."""
        return ((r, entry) for r, entry in self.entries() if is_listed(entry, now_s, self.limits))

    def entry(self, recipient: int) -> Entry:
        """What is kept of a recipient's failures that count; an empty entry where nothing is."""
        where = place(recipient)
        return self._entry(where.bucket, where.name) or Entry()

    def _entry(self, bucket: int, name: bytes) -> Entry | None:
        stored: bytes | None = self._redis.hget(self._key(bucket), name)  # type: ignore[assignment]
        return unpack(stored) if stored else None

    def _key(self, bucket: int) -> str:
        return f"{self._prefix}{bucket}"

    def forget(self, recipients: Iterable[int], until_s: int | None = None) -> int:
        """Erases what is kept of recipients, by hash; with `until_s` (epoch) only of those that have not
        failed since. Returns how many entries there were."""
        found = 0
        for recipient in recipients:
            where = place(recipient)
            for name in (where.name, where.others):
                entry = self._entry(where.bucket, name)
                if entry is not None and (until_s is None or newest_s(entry) <= until_s):
                    found += int(self._redis.hdel(self._key(where.bucket), name))
        return found

    def note_growth(self, entered: Iterable[tuple[int, Campaign]]) -> None:
        """Counts who came to the list: the epoch second of each, and by whose message."""
        pipe = self._redis.pipeline(transaction=False)
        for at_s, (sender, traffic_class) in entered:
            pipe.hincrby(self._growth, f"{at_s // HOUR_S} {quote(traffic_class)} {quote(sender)}", 1)
        pipe.expire(self._growth, LIVE_S)
        pipe.execute()

    def growth(self) -> Growth:
        """What was counted."""
        fields: dict[bytes, bytes] = self._redis.hgetall(self._growth)  # type: ignore[assignment]
        parts = [(field.decode().split(" "), int(n)) for field, n in fields.items()]
        return Growth((int(hour), Campaign(unquote(s), unquote(c)), n) for (hour, c, s), n in parts)

    def forget_growth(self, now_s: int) -> None:
        """What is older than a week."""
        fields: list[bytes] = self._redis.hkeys(self._growth)  # type: ignore[assignment]
        old = [field for field in fields if int(field.split(b" ")[0]) <= now_s // HOUR_S - WEEK_H]
        if old:
            self._redis.hdel(self._growth, *old)

    def _buckets(self) -> list[int]:
        """Numbers of those that are there."""
        keys = self._redis.scan_iter(match=f"{self._prefix}*", count=_SCANNED)
        numbers = {key.removeprefix(self._prefix.encode()) for key in keys}
        return sorted(int(number) for number in numbers if number.isdigit())
