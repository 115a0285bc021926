"""What comes through to where it is decided: outcomes at all, and the canary. Pure."""

from __future__ import annotations

from typing import NamedTuple

from streams.records import BUCKET_S, CANARY, Cells


class Sight(NamedTuple):
    """Buckets are epoch seconds, their starts; -1 for none yet."""

    outcome_s: int = -1
    """The newest bucket with an outcome; until there is one the first bucket that was looked at."""
    canary_s: int = -1
    """The newest bucket with a canary."""

    def after(self, bucket_s: int, cells: Cells) -> Sight:
        """What is known after one closed bucket more."""
        seen = self._replace(outcome_s=bucket_s) if self.outcome_s < 0 or any(cells.finals) else self
        own = {i for i, key in enumerate(cells.keys) if key.source == CANARY}
        return seen._replace(canary_s=bucket_s) if own and not own.isdisjoint(cells.key) else seen

    def without_outcomes_s(self, bucket_s: int) -> int:
        """For how long, up to the end of the newest bucket, no outcome was counted."""
        return bucket_s - self.outcome_s if self.outcome_s >= 0 else 0

    @property
    def canary_seen_s(self) -> int:
        """End of the bucket with the newest canary, epoch seconds; 0 while there was none."""
        return self.canary_s + BUCKET_S if self.canary_s >= 0 else 0
