"""How many of an incident's failed messages are to be sent again, held, dropped or told another way. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from alerts.advice.records import Advice
from alerts.wording import words
from streams.label_values import Advised


class Retries(msgspec.Struct, frozen=True):
    """Failed messages by what was advised."""

    retry: int = 0
    hold: int = 0
    stop: int = 0
    other_channel: int = 0
    from_ms: int = 0
    """The earliest time at which one of `retry` may be sent again, epoch ms; 0 where there is none."""
    whole: bool = True
    """Whether all of them were looked at."""

    @property
    def messages(self) -> int:
        return self.retry + self.hold + self.stop + self.other_channel

    @property
    def words(self) -> str:
        """`5 retry, 85 hold`."""
        counts = ((what, getattr(self, what)) for what in Advised)
        return ", ".join(f"{n} {words(what)}" for what, n in counts if n)


def tallied(advices: Iterable[Advice], *, whole: bool = True) -> Retries:
    """Advice is counted once a message: what is there twice is a repeat."""
    found = {(a.source, a.message_id): a for a in advices}
    n = Counter(a.decision for a in found.values())
    times = [a.not_before_ms for a in found.values() if a.decision is Advised.RETRY and a.not_before_ms]
    counts = (n[Advised.RETRY], n[Advised.HOLD], n[Advised.STOP], n[Advised.OTHER_CHANNEL])
    return Retries(*counts, min(times, default=0), whole)
