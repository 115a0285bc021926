"""What is refused, and why: the same for pages and for programs."""

from __future__ import annotations


class Refusal(Exception):
    """`status` is HTTP's; `why` is a sentence for whoever asked, and never quotes what he sent."""

    def __init__(self, status: int, why: str, retry_after_s: int = 0) -> None:
        super().__init__(why)
        self.status, self.why, self.retry_after_s = status, why, retry_after_s
        self.text = ""
        """What somebody wrote in a form of ours: it is shown to him, so that it is not lost."""
