"""Requests answered lately, so that a repeated one is not written again. In memory, bounded.

It is a courtesy: after a restart, and between processes, ingest drops what is repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

MOST = 50_000


class Recent:
    """The write that belongs to each of the newest requests. Not thread-safe."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._writes: dict[Hashable, asyncio.Future[int]] = {}

    def get(self, key: Hashable) -> asyncio.Future[int] | None:
        """The write of an earlier request with this key: done, or under way."""
        return self._writes.get(key)

    def put(self, key: Hashable, write: asyncio.Future[int]) -> None:
        """Remembers a write until it fails, or until MOST newer ones are there."""
        self._writes[key] = write
        write.add_done_callback(lambda done: self._forget_failed(key, done))
        if len(self._writes) > self._most:
            del self._writes[next(iter(self._writes))]

    def _forget_failed(self, key: Hashable, write: asyncio.Future[int]) -> None:
        if (write.cancelled() or write.result()) and self._writes.get(key) is write:
            del self._writes[key]
