"""The list of recipients at the end, beside the one that the ledger of the truth knows."""

from __future__ import annotations

import time
from typing import NamedTuple

from alerts.recipients.asking import by_hash, opened
from alerts.settings import Settings
from streams.clock import WallClock
from streams.errors import MonitorError
from streams.privacy import RecipientHasher
from streams.simulate.ledger import Ledger

PATIENCE_S = 20.0
LOOK_EVERY_S = 0.25


class Lists(NamedTuple):
    """Recipients on either list, by hash."""

    true: frozenset[str]
    exported: frozenset[str]

    @property
    def agree(self) -> bool:
        return self.true == self.exported


def compared(settings: Settings, ledger: Ledger) -> Lists:
    """Once they agree, or after a while: what was written last takes some seconds to get there."""
    hasher = RecipientHasher(settings.privacy.recipient_key)
    true = frozenset(hasher.hex(number) for number in ledger.listed)
    deadline, exported = time.monotonic() + PATIENCE_S, _exported(settings)
    while exported != true and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
        exported = _exported(settings)
    return Lists(true, exported)


def _exported(settings: Settings) -> frozenset[str]:
    try:
        with opened(settings) as kept:
            now_s = WallClock(settings.clock).now_ms() // 1000
            return frozenset(row["recipient"] for row in by_hash(kept, now_s))
    except MonitorError:  # it is being built anew
        return frozenset()
