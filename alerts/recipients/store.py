"""Recipients in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from alerts.recipients.entry import Seen
from streams.records import FailedRecipient


class Recipients(Protocol):
    """What knows the run of every recipient."""

    def merge(self, batch: Sequence[FailedRecipient]) -> list[Seen]:
        """Takes failures in, each as often as it likes to come; what is known of each, in their order."""
        ...
