"""The receiver of pages, of a cluster that is to be killed."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Self

from alerts.demo.receiver import Entry, Mood, Receiver


class Pager:
    """The PagerDuty receiver in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._receiver = Receiver()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pager", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._receiver.start(), self._loop).result(10)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._receiver.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return self._receiver.url

    @property
    def log(self) -> list[Entry]:
        return list(self._receiver.log)

    @property
    def still_open(self) -> list[str]:
        """Keys of the alerts that nobody has resolved."""
        return [key for _, key in list(self._receiver.open)]

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Change events, which wake nobody."""
        return list(self._receiver.changes)

    def meet(self, mood: Mood) -> None:
        """How it meets the next requests."""
        self._receiver.mood = mood
