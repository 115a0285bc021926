"""The straightforward calculation, and a store in memory made of the pure entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from alerts.recipients.entry import Entry, Limits, Seen, delivered, failed, is_listed
from streams.records import FailedRecipient

LIMITS = Limits()
T0_S = 1_784_289_600
COUNTS = "absent_subscriber"


class Event(NamedTuple):
    """What happened to one recipient: a message failed, or (`fingerprint` 0) something was delivered."""

    at_s: int
    fingerprint: int = 0


def told(events: Iterable[Event], limits: Limits = LIMITS) -> tuple[int, list[tuple[int, int]]]:
    """The newest delivery, and the newest messages that failed, each at its newest failure: by sorting."""
    events = list(events)
    newest: dict[int, int] = {}
    for event in events:
        if event.fingerprint:
            newest[event.fingerprint] = max(event.at_s, newest.get(event.fingerprint, 0))
    last = sorted((at_s, fingerprint) for fingerprint, at_s in newest.items())[-limits.kept :]
    return max((e.at_s for e in events if not e.fingerprint), default=0), last


def core(entry: Entry) -> tuple[int, list[tuple[int, int]]]:
    return entry.delivered_s, [(f.last_s, f.fingerprint) for f in entry.failures]


def after(events: Iterable[Event], limits: Limits = LIMITS) -> Entry:
    """The entry that these lead to, one by one."""
    entry = Entry()
    for event in events:
        if event.fingerprint:
            entry, _ = failed(entry, event.at_s, event.fingerprint, limits)
        else:
            entry = delivered(entry, event.at_s)
    return entry


def failure(
    recipient: int, at_s: int, message: int, outcome_class: str = COUNTS, sender: str | None = None
) -> FailedRecipient:
    """A record of `failed-recipients`."""
    labels = ("api", "311-480", "US-CA", outcome_class, "30003")
    return FailedRecipient(
        f"{recipient:016x}", f"m-{message}", f"{message:016x}", *labels, sender, at_s * 1000, "key"
    )


class PlainStore:
    """What the store in Redis must be, without Redis: two entries a recipient."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.entries: dict[tuple[int, bool], Entry] = {}

    def take(
        self, batch: Sequence[FailedRecipient], deliveries: Sequence[tuple[int, int]] = ()
    ) -> list[Seen]:
        """Deliveries (recipient, epoch second) first, so that whoever is known is seen as it is, and
        once more for who is new."""
        self._deliver(deliveries)
        seen = [self._fail(f) for f in batch]
        self._deliver(deliveries)
        return seen

    def on_list(self, at_s: int) -> set[int]:
        return {r for (r, counts), e in self.entries.items() if counts and is_listed(e, at_s, self.limits)}

    def _deliver(self, deliveries: Sequence[tuple[int, int]]) -> None:
        for recipient, at_s in deliveries:
            for counts in (True, False):
                if (recipient, counts) in self.entries:
                    self.entries[recipient, counts] = delivered(self.entries[recipient, counts], at_s)

    def _fail(self, one: FailedRecipient) -> Seen:
        recipient, counts, at_s = int(one.recipient, 16), one.outcome_class == COUNTS, one.received_ms // 1000
        other = self.entries.get((recipient, not counts), Entry())
        entry = self.entries.get((recipient, counts), Entry(other.delivered_s))
        listed = not counts and is_listed(other, at_s, self.limits)
        fingerprint = int(one.fingerprint, 16) & 0xFFFF_FFFF
        entry, seen = failed(entry, at_s, fingerprint, self.limits, listed=listed)
        self.entries[recipient, counts] = entry
        return seen
