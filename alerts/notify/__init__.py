"""The port to pagers: what a reconciler hands over and what it gets back. One file a pager."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from alerts.records import Page


class Accepted(NamedTuple):
    """The pager has it."""

    ref: str = ""
    """What it calls it, where it is needed to change it later."""


class Retry(NamedTuple):
    """Surely not taken, worth another try: 429, 500, 503, or no connection (status 0)."""

    status: int
    after_s: float | None = None
    """What the pager asked for by Retry-After."""
    text: str = ""


class Refused(NamedTuple):
    """Never to be taken as it is: a 4xx, or a redirect."""

    status: int
    text: str = ""


class InDoubt(NamedTuple):
    """Sent, and nobody knows whether it was taken: time-out, reset, a gateway's 502 or 504."""

    why: str
    after_s: float | None = None


SendResult = Accepted | Retry | Refused | InDoubt


class Pager(Protocol):
    """One way to reach people. `send` makes one attempt, retries nothing and raises nothing.

    Belongs to the event loop that sends; `close` it there.
    """

    async def send(self, page: Page) -> SendResult: ...

    async def close(self) -> None: ...
