"""Advice as the recipients' stage asks for it: of the station that decides in the same process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from alerts.advice.adviser import Adviser
from alerts.advice.held import Held
from alerts.recipients.entry import Seen
from alerts.recipients.log import Record
from streams.errors import Fenced
from streams.records import FailedRecipient

LOOK_S = 0.2


class LiveAdvice:
    """Waits until all is decided that may hold what is asked about: windows that stand still hold advice
    back, as nobody could say what is held."""

    def __init__(self, adviser: Adviser, held: Callable[[], Held], owns: Callable[[], bool]) -> None:
        """`held` and `owns` tell what the station, in another thread, shows now."""
        self._adviser, self._held, self._owns = adviser, held, owns

    def __call__(self, failed: Sequence[FailedRecipient], seen: Sequence[Seen]) -> Sequence[Record]:
        """Raises Fenced when another instance decides by now."""
        if not failed:
            return ()
        held = self._known(max(one.first_s for one in seen) * 1000)
        return [Record(key, value) for key, value in self._adviser(failed, seen, held)]

    def _known(self, failed_ms: int) -> Held:
        while not (held := self._held()).knows(failed_ms):
            if not self._owns():
                raise Fenced("another instance decides what is held now")
            time.sleep(LOOK_S)
        return held
