"""Traffic classes, the users' own labels, as few small numbers: so many at a time, the rest as `other`."""

from __future__ import annotations

from streams.networks.names import LIKE_A_NUMBER
from streams.records import TIME_CRITICAL

MAX_CLASSES = 16
"""Of one flush, or of one bucket: none and `other` are two of them."""
MAX_CLASS_LENGTH = 64
OTHER = "other"


class TrafficClasses:
    """Numbers labels in the order in which they come; `names[number]` is the label as it is shown."""

    def __init__(self) -> None:
        self.names = ["", TIME_CRITICAL]
        self._numbers: dict[str | None, int] = {None: 0, "": 0, TIME_CRITICAL: 1}

    def number(self, label: str | None) -> int:
        """0 for none. A label beyond the last, and one that looks like a phone number, is `other`."""
        number = self._numbers.get(label)
        if number is None:
            name = _clean(label or "")
            number = self._numbers[label] = self._numbers[name] if name in self._numbers else self._add(name)
        return number

    def _add(self, name: str) -> int:
        if len(self.names) >= MAX_CLASSES - 1:
            name = OTHER
        if name not in self.names:
            self.names.append(name)
            self._numbers[name] = len(self.names) - 1
        return self._numbers[name]


def _clean(label: str) -> str:
    text = label.strip()[:MAX_CLASS_LENGTH]
    if LIKE_A_NUMBER.search(text):
        return OTHER
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
