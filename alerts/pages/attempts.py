"""How often an address may show a wrong token: (address, time) in, yes or no out. No clock of its own."""

from __future__ import annotations

from collections import OrderedDict

MOST_WRONG = 10
WITHIN_S = 60
MOST_ADDRESSES = 1_000
"""Beyond it the address that was wrong the longest ago is forgotten."""


class Attempts:
    """While an address is held off even the right token is refused, or guessing would go on unseen."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> int:
        """How long the address must wait, 0 for not at all."""
        recent = [at_s for at_s in self._wrong.get(address, ()) if at_s > now_s - WITHIN_S]
        return 0 if len(recent) < MOST_WRONG else max(1, round(recent[0] + WITHIN_S - now_s))

    def wrong(self, address: str, now_s: float) -> None:
        self._wrong[address] = [*self._wrong.pop(address, []), now_s][-MOST_WRONG:]
        if len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)
