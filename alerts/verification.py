"""What a look at the failed numbers says of an incident: dead, ported, or well. Pure.

Of n numbers of which something is told, x are of a kind; the share of that kind among all that failed lies
within the Wilson interval in 95 of 100 cases (Wilson 1927). A kind that is surely less than half is ruled
out as the main cause, one that is surely more is what it points to.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from alerts.causes import Verified
from streams.lookup.answer import APART, NOTHING, Answer
from streams.networks import Networks
from streams.records import UNKNOWN

Z = 1.96


class Kind(StrEnum):
    """What one number is."""

    EXPECTED = "expected"
    """With the carrier that the record names."""
    ELSEWHERE = "elsewhere"
    """With another carrier: ported, or labelled wrong."""
    DEAD = "dead"
    """No number that exists."""
    OTHER_LINE = "other_line"
    """A line that takes no messages: landline, toll-free."""
    EXISTS = "exists"
    """It exists; the record names no carrier to compare with."""
    UNTOLD = "untold"
    """Lookup does not say."""


CAUSES = {
    Kind.DEAD: "numbers that do not exist",
    Kind.OTHER_LINE: "landlines and toll-free numbers",
    Kind.ELSEWHERE: "numbers with another carrier (ported, or labelled wrong)",
}
"""What may be to blame in place of the carrier."""


def kind_of(answer: Answer | None, expected: str, networks: Networks) -> Kind:
    """Of one number: its answer, None where there is none, and the carrier under which it was counted."""
    if answer is None:
        return Kind.UNTOLD
    if answer == NOTHING:
        return Kind.DEAD
    if answer.line_type in APART:
        return Kind.EXPECTED if APART[answer.line_type] == expected else Kind.OTHER_LINE
    carrier = answer.carrier(networks)
    if not carrier:
        return Kind.UNTOLD
    if expected == UNKNOWN:
        return Kind.EXISTS
    return Kind.EXPECTED if carrier == expected else Kind.ELSEWHERE


def verified(kinds: Iterable[Kind], at_ms: int, why_fewer: str = "") -> Verified:
    """The sum of a sample, and what it says."""
    found = Counter(kinds)
    told = found.total() - found[Kind.UNTOLD]
    counts = {kind.value: found[kind] for kind in Kind if found[kind]}
    out = tuple(kind.value for kind in CAUSES if told and _bounds(found[kind], told)[1] < 0.5)
    towards = tuple(kind.value for kind in CAUSES if told and _bounds(found[kind], told)[0] > 0.5)
    return Verified(at_ms, found.total(), counts, out, towards, why_fewer)


def words(of: Verified) -> str:
    """`Lookup of 20 failed numbers: 19 with the expected carrier, 1 that does not exist.`, and what that
    rules out. Never a number."""
    if not of.looked_up:
        return f"No failed number was looked up: {of.why_fewer}." if of.why_fewer else ""
    each = [f"{n} {_SAID[Kind(kind)]}" for kind, n in of.found.items()]
    text = f"Lookup of {of.looked_up} failed numbers: {', '.join(each)}."
    if of.points_to:
        text += f" It points to {_list(of.points_to)}, not to the carrier."
    if of.ruled_out:
        text += f" Ruled out as the main cause: {_list(of.ruled_out)}."
    return text + (f" Not more: {of.why_fewer}." if of.why_fewer else "")


_SAID = {
    Kind.EXPECTED: "with the expected carrier",
    Kind.ELSEWHERE: "with another carrier",
    Kind.DEAD: "that do not exist",
    Kind.OTHER_LINE: "landline or toll-free",
    Kind.EXISTS: "that exist",
    Kind.UNTOLD: "not told",
}


def _list(kinds: Iterable[str]) -> str:
    return "; ".join(CAUSES[Kind(kind)] for kind in kinds)


def _bounds(x: int, n: int) -> tuple[float, float]:
    """The Wilson interval of a share of x in n."""
    p, z2 = x / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return middle - reach, middle + reach
