"""Who must be on the list of recipients: the straightforward calculation, of every record there was.

Imports nothing of the product, so that the ledger can judge the product.
"""

from __future__ import annotations

from collections import defaultdict

MAX_IN_A_ROW = 3
WITHIN_S = 7 * 86_400


class Runs:
    """Failures as absent since the last delivery. Times are epoch seconds of receipt."""

    def __init__(self) -> None:
        self._failed: defaultdict[int, dict[str, int]] = defaultdict(dict)
        """Recipient -> message -> when it was last seen to fail."""
        self._reached: dict[int, int] = {}

    def fail(self, recipient: int, message_id: str, at_s: int) -> None:
        """A message to it failed as absent."""
        messages = self._failed[recipient]
        messages[message_id] = max(at_s, messages.get(message_id, 0))

    def reach(self, recipient: int, at_s: int) -> None:
        """Something was delivered to it: what failed before is of no interest any more."""
        reached_s = self._reached[recipient] = max(at_s, self._reached.get(recipient, 0))
        if recipient in self._failed:
            left = {m: failed_s for m, failed_s in self._failed[recipient].items() if failed_s > reached_s}
            self._failed[recipient] = left

    def listed(self, now_s: int) -> set[int]:
        """Whom more than MAX_IN_A_ROW messages in a row, within WITHIN_S, did not reach."""
        found = set()
        for recipient, messages in self._failed.items():
            since_s = max(self._reached.get(recipient, 0), now_s - WITHIN_S)
            if sum(at_s > since_s for at_s in messages.values()) > MAX_IN_A_ROW:
                found.add(recipient)
        return found
