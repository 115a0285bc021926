"""The faults of the matrix: what the pager, Redis or Kafka do, and what must come of one incident then."""

from __future__ import annotations

from typing import NamedTuple

from alerts.demo.receiver import Mood
from tests.faults.doomed import AFTER_POST, BEFORE_POST, NEVER, STEPS

SCALE = 60
"""An hour of the pager's absence and the longest backoff, so many times as fast."""
CAP_S = 60.0
HOUR_S = 3600 / SCALE


class Trouble(NamedTuple):
    """What the pager does from each change of the incident on; `for_s`: then it accepts again."""

    name: str
    mood: Mood
    for_s: float | None = None
    redis: str = "there"
    """`emptied`: after the page; `away`: from before it on."""
    kafka: str = "there"
    """`away`: once the page is held, until after it has gone out."""
    unheard: bool = False
    """Nothing is taken until the incident has ended; no page is ever recorded then."""
    back: bool = True
    """Whether the pager of an `unheard` incident accepts again in the end."""

    @property
    def steps(self) -> tuple[str, ...]:
        """A role that is killed while Kafka is away has nothing to start from: that is no cell."""
        if self.unheard:
            return (NEVER, BEFORE_POST, AFTER_POST)
        return (NEVER, *STEPS) if self.kafka == "there" else (NEVER,)

    @property
    def expected(self) -> tuple[int, int]:
        """People woken and pages lost. Of what opened and ended unheard a pager that is back is told, and
        wakes nobody; one that refuses for good loses the page, which is what the rules look for."""
        return (0, 0 if self.back else 1) if self.unheard else (1, 0)

    def kills(self, step: str) -> int:
        """At the page, and at its resolve where there is one."""
        return 0 if step == NEVER else 1 if self.unheard else 2

    def well(self, counted: Counted) -> bool:
        """Whether it is what must come of this fault."""
        return (counted.sent, counted.lost) == self.expected and not counted.wrong


TROUBLES = (
    Trouble("none", Mood()),
    Trouble("400 once", Mood("refuse", status=400, times=1)),
    Trouble("400 for good", Mood("refuse", status=400), unheard=True, back=False),
    Trouble("429", Mood("throttle", times=2)),
    Trouble("429 with Retry-After", Mood("throttle", retry_after_s=2, times=1)),
    Trouble("500", Mood("refuse", status=500, times=2)),
    Trouble("502", Mood("refuse", status=502, times=2)),
    Trouble("hang", Mood("stall", times=1)),
    Trouble("reset, not taken", Mood("reset", times=1)),
    Trouble("reset after 202", Mood("reset_after_accept", times=1)),
    Trouble("one hour down", Mood("refuse", status=503), for_s=HOUR_S),
    Trouble("down from opening to end", Mood("refuse", status=503), unheard=True),
    Trouble("Redis emptied", Mood(), redis="emptied"),
    Trouble("Redis away", Mood(), redis="away"),
    Trouble("Kafka away", Mood("refuse", status=503), kafka="away"),
)


class Counted(NamedTuple):
    """What became of one incident's pages."""

    sent: int
    """People who were woken: triggers on no open alert."""
    lost: int
    """Incidents that nobody was woken for, and pages that nobody resolved."""
    repeated: int
    """Triggers on the open alert: a line in its log, nobody is woken."""
    attempts: int
    kills: int
    wrong: tuple[str, ...] = ()
    """What must never happen: broken contract, a trigger after the last resolve, another open alert."""

    def __str__(self) -> str:
        return f"{self.sent} / {self.lost} / {self.repeated}"
